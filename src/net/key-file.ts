/**
 * Reads the text of a key from a file, a pipe, or standard input, by one rule.
 *
 * One newline at the end (LF, CRLF or CR) is not part of the key. A file is refused when every user
 * can read it or a group can change it; a group may read it when this process is in that group
 * (Kubernetes secrets are `root:GROUP 0440`). Errors say what to do. It must never wait for a pipe
 * without an end, nor read more than a key.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { FrError, type FrErrorDetails } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { Patience } from '../base/time/patience.js'
import { exposure, ownGroups } from './exposure.js'
import { Key, withoutNewline } from './keys.js'

/** A key, its newline, and one more byte to detect a longer text. */
const mostBytes = limits.keyBytesMax + 3

/**
 * The key in a file or pipe; ERR_FR_KEY says what is wrong with it. With `isPrivate` the file's
 * mode is not checked, because its directory is private.
 */
export async function loadKeyFile(path: string, isPrivate = false): Promise<Key> {
  try {
    return Key.of(withoutNewline(await readFile(path, isPrivate)))
  } catch (error) {
    if (error instanceof FrError) throw error.path === undefined ? named(path, error) : error
    throw unreadable(path, error as NodeJS.ErrnoException)
  }
}

/** The key in a stream, read to its end; `name` stands for the stream in errors. */
export async function loadKeyStream(stream: Readable, name: string): Promise<Key> {
  try {
    return Key.of(withoutNewline(await readStream(stream, name)))
  } catch (error) {
    if (error instanceof FrError) throw error.path === undefined ? named(name, error) : error
    throw unreadable(name, error as NodeJS.ErrnoException)
  }
}

async function readFile(path: string, isPrivate: boolean): Promise<Uint8Array> {
  // Without O_NONBLOCK, opening a pipe without a writer would wait for ever.
  const fd = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  let isHandedOver = false
  try {
    const found = fstatSync(fd)
    if (!found.isFile() && !found.isFIFO()) throw keyError(path, 'is neither a file nor a pipe')
    const problem = isPrivate ? null : exposure(path, found)
    if (problem !== null) throw keyError(path, problem)
    if (found.isFIFO()) {
      const socket = new Socket({ fd, readable: true, writable: false })
      isHandedOver = true
      return await readStream(socket, path)
    }
    const buffer = Buffer.alloc(mostBytes)
    return buffer.subarray(0, readSync(fd, buffer, 0, buffer.length, 0))
  } finally {
    if (!isHandedOver) closeSync(fd)
  }
}

function readStream(stream: Readable, name: string): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = []
    let bytes = 0
    const finish = (): void => {
      patience.end()
      stream.removeAllListeners()
      stream.on('error', () => {})
      stream.destroy()
    }
    const end = (): void => {
      finish()
      resolve(Buffer.concat(chunks))
    }
    const fail = (error: Error): void => {
      finish()
      reject(error)
    }
    const patience = new Patience(limits.keyReadMs, () =>
      fail(keyError(name, `delivered no complete key within ${limits.keyReadMs / 1000} s`)),
    )
    stream.on('data', (chunk: Uint8Array) => {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes >= mostBytes) end()
    })
    stream.on('end', end)
    stream.on('error', fail)
  })
}

function keyError(path: string, problem: string, details: FrErrorDetails = {}): FrError {
  return new FrError('ERR_FR_KEY', `key file ${path} ${problem}`, { ...details, path })
}

function named(path: string, error: FrError): FrError {
  return new FrError(error.code, `key file ${path}: ${error.message}`, { path })
}

function unreadable(path: string, error: NodeJS.ErrnoException): FrError {
  const details: FrErrorDetails = { cause: error }
  if (error.errno !== undefined) details.errno = Math.abs(error.errno)
  if (error.syscall !== undefined) details.syscall = error.syscall
  const who =
    error.code === 'EACCES'
      ? `: this process runs as uid ${process.geteuid?.()}, groups ${ownGroups().join(', ')}`
      : ''
  return keyError(path, `cannot be read (${error.code ?? 'unknown'})${who}`, details)
}
