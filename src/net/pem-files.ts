/**
 * Files of certificates and keys in PEM: read whole, bounded, and looked at before they are used.
 *
 * Never: a private key that others can read; a byte of it in an error.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { FrError } from '../base/errors.js'
import { fileStamp } from '../base/file-stamp.js'
import { tlsLimits } from '../base/tls-limits.js'
import { exposure } from './exposure.js'

/** Paths of a certificate, with those between it and its authority, and of its private key. */
export interface PairFiles {
  readonly cert: string
  readonly key: string
}

/** Throws ERR_FR_CERTIFICATE where they do not belong together. */
export function readPair(files: PairFiles) {
  const cert = readPem('cert', files.cert)
  const key = readPem('key', files.key)
  const [own] = certificatesIn('cert', files.cert, cert)
  try {
    if (!own.checkPrivateKey(createPrivateKey(key)))
      throw wrong(files.cert, `does not belong to the private key in ${files.key}`)
  } catch (error) {
    if (error instanceof FrError) throw error
    // OpenSSL's words may quote the file.
    throw wrong(files.key, 'has no private key that can be read (PEM, without a passphrase)')
  }
  return { cert, key, own }
}

/** At least one. Throws. */
export function certificatesIn(
  what: string,
  path: string,
  text: string,
): [X509Certificate, ...X509Certificate[]] {
  const blocks = blocksOf(text, 'CERTIFICATE')
  if (blocks.length === 0) throw wrong(path, `(${what}) has no certificate (PEM)`)
  try {
    return blocks.map((block) => new X509Certificate(block)) as [X509Certificate]
  } catch {
    throw wrong(path, `(${what}) has a certificate that cannot be read`)
  }
}

export function blocksOf(text: string, type: string): string[] {
  const block = new RegExp(`-----BEGIN ${type}-----[^-]*-----END ${type}-----`, 'g')
  return text.match(block) ?? []
}

export function readPem(what: 'ca' | 'cert' | 'key' | 'crl', path: string): string {
  try {
    const fd = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
    try {
      const found = fstatSync(fd)
      if (!found.isFile()) throw wrong(path, 'is no file')
      const problem = what === 'key' ? exposure(path, found) : null
      if (problem !== null) throw wrong(path, problem)
      const buffer = Buffer.alloc(Math.min(found.size, tlsLimits.fileBytes) + 1)
      const bytes = readSync(fd, buffer, 0, buffer.length, 0)
      if (bytes > tlsLimits.fileBytes) throw wrong(path, `has over ${tlsLimits.fileBytes} bytes`)
      return buffer.toString('latin1', 0, bytes)
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    if (error instanceof FrError) throw error
    const { code = 'unknown' } = error as NodeJS.ErrnoException
    throw wrong(path, `(${what}) cannot be read (${code})`)
  }
}

/** What tells the files as they are from others. */
export function stampsOf(paths: readonly string[]): string {
  return paths.map(stampOf).join()
}

function stampOf(path: string): string {
  try {
    return fileStamp(statSync(path, { bigint: true }))
  } catch {
    return ''
  }
}

export function wrong(path: string, what: string): FrError {
  return new FrError('ERR_FR_CERTIFICATE', `certificate file ${path} ${what}`, { path })
}
