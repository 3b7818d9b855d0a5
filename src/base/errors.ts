/**
 * The one error table and the one error class. Misuse of the API is a TypeError that names the
 * option; everything that can go wrong in operation is an FrError with a stable code.
 *
 * `native` is the number under which the addon reports the same error
 * (native/core/base/errors.def); a build whose numbers disagree is refused at load.
 */

interface ErrorRow {
  readonly meaning: string
  readonly retryable: boolean
  readonly native?: number
}

export const errorTable = {
  ERR_FR_UNREACHABLE: { meaning: 'the node could not be reached', retryable: true },
  ERR_FR_AUTH: {
    meaning: 'the peer does not hold the same key, or is not authorized',
    retryable: false,
  },
  ERR_FR_CRITERIA: {
    meaning: 'criteria cannot be read, or attributes cannot be taken',
    retryable: false,
  },
  ERR_FR_DOCUMENT: {
    meaning: 'a topology or a set of files cannot be read, or contradicts itself',
    retryable: false,
  },
  ERR_FR_ONLY: {
    meaning: 'the node is none of those that may hold the content (--only)',
    retryable: false,
  },
  ERR_FR_REQUEST: {
    meaning: 'a request of HTTP cannot be understood, or asks for what is not there',
    retryable: false,
  },
  ERR_FR_RIGHT: {
    meaning: 'whoever asks lacks a right at this node (--authorize)',
    retryable: false,
  },
  ERR_FR_SEAL: {
    meaning: 'a data connection is not sealed that must be',
    retryable: false,
  },
  ERR_FR_VERSION: { meaning: 'the peer speaks another protocol version', retryable: false },
  ERR_FR_CAPABILITY: {
    meaning: 'the peer lacks a capability this transfer needs',
    retryable: false,
  },
  ERR_FR_PROTOCOL: {
    meaning: 'the peer sent something the protocol forbids',
    retryable: false,
    native: 1,
  },
  ERR_FR_SPOILT: {
    meaning: 'bytes were changed on their way between two nodes',
    retryable: true,
    native: 18,
  },
  ERR_FR_TIMEOUT: { meaning: 'the peer did not answer or finish in time', retryable: true },
  ERR_FR_NODE_LOST: { meaning: 'the connection to the node broke', retryable: true, native: 2 },
  ERR_FR_NODE_SILENT: { meaning: 'the node sent no heartbeat for too long', retryable: true },
  ERR_FR_NODE_CLOSED: { meaning: 'the node was stopped; it may come back', retryable: true },
  ERR_FR_PEER_STALLED: { meaning: 'the peer stopped reading its control link', retryable: true },
  ERR_FR_ORIGIN_LOST: {
    meaning: 'the origin is gone and the transfer is not complete',
    retryable: true,
  },
  ERR_FR_STALE: {
    meaning: 'a plan is older than the current one',
    retryable: false,
  },
  ERR_FR_SAME_NODE: { meaning: 'two addresses lead to the same node', retryable: false },
  ERR_FR_NO_SPACE: { meaning: 'the disk or quota of the node is full', retryable: true, native: 3 },
  ERR_FR_IO: { meaning: 'the operating system failed a read or write', retryable: true, native: 4 },
  ERR_FR_NAME: {
    meaning: 'the name cannot be stored inside the data directory',
    retryable: false,
    native: 5,
  },
  ERR_FR_EXISTS: {
    meaning: 'the name exists and may not be replaced',
    retryable: false,
    native: 6,
  },
  ERR_FR_IS_DIRECTORY: {
    meaning: 'a directory is where a file is needed',
    retryable: false,
    native: 7,
  },
  ERR_FR_NOT_HELD: {
    meaning: 'the node does not hold this file',
    retryable: false,
    native: 17,
  },
  ERR_FR_CODING: {
    meaning: 'the node takes this content only as it is, not as it was coded',
    retryable: false,
  },
  ERR_FR_BASE: {
    meaning: 'the base of the patch is not the content it should be',
    retryable: false,
  },
  ERR_FR_RANGE: { meaning: 'the file ends before the range does', retryable: false },
  ERR_FR_BUSY: { meaning: 'another transfer is writing the same name', retryable: true },
  ERR_FR_TREE_LOOP: {
    meaning: 'the parent is below this node in the directory',
    retryable: true,
  },
  ERR_FR_DICTIONARY_FULL: {
    meaning: 'the directory has no bit left for an attribute of this node',
    retryable: true,
  },
  ERR_FR_NOT_COMMITTED: {
    meaning: 'the nodes of a commit have what they had before: not enough of them were ready',
    retryable: true,
  },
  ERR_FR_IN_DOUBT: {
    meaning: 'the nodes decide without the author whether they switch; none has another version',
    retryable: true,
  },
  ERR_FR_SOURCE: {
    meaning: 'the source cannot be opened or is not a regular file',
    retryable: false,
    native: 8,
  },
  ERR_FR_SOURCE_CHANGED: {
    meaning: 'the content of the source changed during the transfer',
    retryable: true,
    native: 9,
  },
  ERR_FR_UNSEALED: {
    meaning: 'the growing stream ended without its final flag',
    retryable: true,
  },
  ERR_FR_BAD_BLOCK: { meaning: 'a block stayed wrong after every repair', retryable: true },
  ERR_FR_DIGEST: { meaning: 'the digest of the whole file does not match', retryable: true },
  ERR_FR_DATA_DIR: {
    meaning: 'the data directory is missing or not writable',
    retryable: false,
    native: 10,
  },
  ERR_FR_DATA_DIR_GONE: {
    meaning: 'the data directory is no longer at its path',
    retryable: true,
    native: 15,
  },
  ERR_FR_DATA_DIR_LOCKED: {
    meaning: 'another node serves this data directory',
    retryable: false,
    native: 11,
  },
  ERR_FR_RELAY_ONLY: {
    meaning: 'the node only passes on what comes to it (--relay-only), and has no files',
    retryable: false,
  },
  ERR_FR_GATEWAY: {
    meaning: 'the gateway that the node is behind (via=) is gone, or cannot be reached',
    retryable: true,
  },
  ERR_FR_BRIDGE: {
    meaning: 'the gateway connects only members of a push to its nodes, and nobody else',
    retryable: false,
  },
  ERR_FR_READ_ONLY: {
    meaning: 'the node only serves what its data directory holds (--read-only)',
    retryable: false,
  },
  ERR_FR_NO_NODE: { meaning: 'no such node has joined the master', retryable: true },
  ERR_FR_MOVED: {
    meaning: 'another process of the node takes it: the one that is named, or none at the moment',
    retryable: true,
  },
  ERR_FR_NOT_LEADING: {
    meaning: 'another of several masters leads, or none at the moment',
    retryable: true,
  },
  ERR_FR_STATE: {
    meaning: 'what a master keeps cannot be used',
    retryable: false,
  },
  ERR_FR_CATALOGUE: {
    meaning: 'the records of what the machine holds cannot be used',
    retryable: false,
  },
  ERR_FR_ATTRIBUTES: {
    meaning: 'the file system of the node cannot keep an attribute of the file',
    retryable: false,
  },
  ERR_FR_LISTEN: { meaning: 'the node cannot listen on the address', retryable: false },
  ERR_FR_PRIVILEGES: {
    meaning: 'the process cannot become the user that it should be (--drop-privileges)',
    retryable: false,
  },
  ERR_FR_PEERS: { meaning: 'the list of authorized peers cannot be used', retryable: false },
  ERR_FR_CERTIFICATE: {
    meaning: 'a file of certificates (--tls-ca, --tls-cert, --tls-key, --tls-crl) cannot be used',
    retryable: false,
  },
  ERR_FR_KEY: { meaning: 'the key is missing, too short, or readable by others', retryable: false },
  ERR_FR_OPEN: {
    meaning: 'without a key only loopback addresses are served or dialled',
    retryable: false,
  },
  ERR_FR_TRACE: { meaning: 'the trace file cannot be written', retryable: false },
  ERR_FR_ADD_REFUSED: {
    meaning: 'only the caller may add nodes to the push; --allow-add lets all who hold the key',
    retryable: false,
  },
  ERR_FR_REFUSED: { meaning: 'the accept hook of the node refused the file', retryable: false },
  ERR_FR_NO_TRANSFER: {
    meaning: 'no such transfer is running there, or it has just ended',
    retryable: false,
  },
  ERR_FR_ABORTED: { meaning: 'the transfer was cancelled', retryable: true },
  ERR_FR_UNSUPPORTED: {
    meaning: 'this version does not support what was asked for',
    retryable: false,
    native: 16,
  },
  ERR_FR_LIMIT: {
    meaning: 'a limit of the product or of open files was reached',
    retryable: true,
    native: 12,
  },
  ERR_FR_ENGINE: {
    meaning: 'the native engine is missing or from another build',
    retryable: false,
  },
  ERR_FR_INBOX_FULL: {
    meaning: 'too many commands are waiting for the engine',
    retryable: true,
    native: 13,
  },
  ERR_FR_CLOSED: { meaning: 'the object is closed', retryable: false, native: 14 },
  ERR_FR_INTERNAL: {
    meaning: 'a defect of this program, not of its input',
    retryable: false,
  },
} as const satisfies Record<string, ErrorRow>

export type FrErrorCode = keyof typeof errorTable

/** Why something failed: the code, and a sentence for a person. */
export interface Failure {
  readonly code: FrErrorCode
  readonly text: string
}

export interface FrErrorDetails {
  cause?: unknown
  /** Error number of the operating system, positive. */
  errno?: number
  syscall?: string
  path?: string
  /** HOST:PORT of the node that the error is about. */
  node?: string
}

export class FrError extends Error {
  override readonly name = 'FrError'
  readonly code: FrErrorCode
  readonly errno?: number
  readonly syscall?: string
  readonly path?: string
  readonly node?: string

  constructor(code: FrErrorCode, text?: string, details: FrErrorDetails = {}) {
    super(
      text ?? errorTable[code].meaning,
      details.cause === undefined ? undefined : { cause: details.cause },
    )
    this.code = code
    if (details.errno !== undefined) this.errno = details.errno
    if (details.syscall !== undefined) this.syscall = details.syscall
    if (details.path !== undefined) this.path = details.path
    if (details.node !== undefined) this.node = details.node
  }

  get retryable(): boolean {
    return errorTable[this.code].retryable
  }
}

/** True for EMFILE (this process) and ENFILE (the whole machine): no more files can be opened. */
export function isOutOfFiles(error: unknown): boolean {
  const { code } = (error ?? {}) as { readonly code?: unknown }
  return code === 'EMFILE' || code === 'ENFILE'
}

const byNative = new Map<number, FrErrorCode>()
for (const [code, row] of Object.entries(errorTable) as [FrErrorCode, ErrorRow][]) {
  if (row.native !== undefined) byNative.set(row.native, code)
}

/** Error code for a number in native/core/base/errors.def; an unknown number is an engine error. */
export function codeFromNative(native: number): FrErrorCode {
  return byNative.get(native) ?? 'ERR_FR_ENGINE'
}

export function isFrErrorCode(text: string): text is FrErrorCode {
  return Object.hasOwn(errorTable, text)
}
