/**
 * The file to read, where its name may be bytes that no string can hold: such a file is opened here
 * by its bytes and handed on as the path of the open descriptor.
 */
import { closeSync, constants, openSync } from 'node:fs'
import { FrError, type FrErrorCode } from '../../base/errors.js'
import { bytesBehind, readRawArguments } from './raw-arguments.js'

export interface Source {
  /** What the API opens. */
  readonly path: string
  /** Last component of the true name, where `path` does not show it. */
  readonly nameBytes?: Uint8Array
}

/** The bytes of an argument that reads as `text`, where the text does not hold them all. */
export function argumentBytes(text: string): Uint8Array | undefined {
  if (!text.includes('\uFFFD')) return undefined
  return bytesBehind(text, readRawArguments(process.argv.length - 2))
}

export async function withSource<T>(path: string, use: (source: Source) => Promise<T>): Promise<T> {
  try {
    const bytes = argumentBytes(path)
    if (bytes === undefined || Buffer.from(bytes).equals(Buffer.from(path))) {
      return await use({ path })
    }
    return await withBytes(bytes, use)
  } catch (error) {
    throw aboutSource(path, error)
  }
}

async function withBytes<T>(bytes: Uint8Array, use: (source: Source) => Promise<T>): Promise<T> {
  const fd = openBytes(bytes)
  try {
    return await use({
      path: `/proc/self/fd/${fd}`,
      nameBytes: bytes.subarray(bytes.lastIndexOf(0x2f) + 1),
    })
  } finally {
    closeSync(fd)
  }
}

function openBytes(bytes: Uint8Array): number {
  try {
    // A pipe would otherwise wait here for its writer.
    return openSync(Buffer.from(bytes), constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    const { errno, message } = error as NodeJS.ErrnoException
    const details = { cause: error, ...(errno === undefined ? {} : { errno: Math.abs(errno) }) }
    throw new FrError('ERR_FR_SOURCE', message, details)
  }
}

const sourceCodes: ReadonlySet<string> = new Set<FrErrorCode>([
  'ERR_FR_SOURCE',
  'ERR_FR_SOURCE_CHANGED',
  'ERR_FR_IS_DIRECTORY',
])

/** Names the file where an error about it does not. */
function aboutSource(path: string, error: unknown): unknown {
  if (!(error instanceof FrError) || !sourceCodes.has(error.code)) return error
  if (error.path !== undefined || error.message.includes(path)) return error
  const { errno } = error
  const details = { path, cause: error, ...(errno === undefined ? {} : { errno }) }
  return new FrError(error.code, error.message, details)
}
