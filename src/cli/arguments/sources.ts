/**
 * The file to push, whose name may be bytes that no string can hold. Such a file is opened by its
 * bytes and handed on as the path of the open descriptor.
 */
import { closeSync, constants, openSync } from 'node:fs'
import { FrError, type FrErrorCode } from '../../base/errors.js'
import { bytesBehind, readRawArguments } from './raw-arguments.js'

export interface Source {
  /** Path that the API opens. */
  readonly path: string
  /** Last component of the true name, when `path` does not show it. */
  readonly nameBytes?: Uint8Array
}

/** Bytes of an argument that reads as `text`, when the text does not hold them all. */
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
    // Without O_NONBLOCK, opening a pipe would wait for its writer.
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

/** Adds the file's name to an error that does not mention it. */
function aboutSource(path: string, error: unknown): unknown {
  if (!(error instanceof FrError) || !sourceCodes.has(error.code)) return error
  if (error.path !== undefined || error.message.includes(path)) return error
  const { errno } = error
  const details = { path, cause: error, ...(errno === undefined ? {} : { errno }) }
  return new FrError(error.code, error.message, details)
}
