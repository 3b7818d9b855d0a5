/**
 * The file to read, where its name may be bytes that no string can hold: such a file is opened here
 * by its bytes and handed on as the path of the open descriptor.
 */
import { closeSync, openSync } from 'node:fs'
import { FrError } from '../errors.js'
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
  const bytes = argumentBytes(path)
  if (bytes === undefined || Buffer.from(bytes).equals(Buffer.from(path))) return use({ path })
  let fd: number
  try {
    fd = openSync(Buffer.from(bytes), 'r')
  } catch (error) {
    const { errno } = error as NodeJS.ErrnoException
    const details = { cause: error, ...(errno === undefined ? {} : { errno: Math.abs(errno) }) }
    throw new FrError('ERR_FR_SOURCE', `${path}: ${(error as Error).message}`, details)
  }
  try {
    return await use({
      path: `/proc/self/fd/${fd}`,
      nameBytes: bytes.subarray(bytes.lastIndexOf(0x2f) + 1),
    })
  } finally {
    closeSync(fd)
  }
}
