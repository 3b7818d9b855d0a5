/**
 * A small authority for clusters that have none: a directory with its key and certificate, the list
 * of what it has revoked, and what it has issued. Loaded by `fr ca` only.
 *
 *     ca.crt  ca.key  ca.crl  NAME.crt  NAME.key
 *
 * Keys are of P-256, and readable by their owner only; nothing that is there is written over, but a
 * certificate that is to be renewed and the list, each by a rename.
 */
import 'reflect-metadata'
import { randomBytes, webcrypto } from 'node:crypto'
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import * as x509 from '@peculiar/x509'
import { FrError } from '../base/errors.js'

export const caLimits = {
  /** Of a common name (RFC 5280, ub-common-name). */
  nameChars: 64,
  caDays: 3_650,
  leafDays: 365,
  mostDays: 36_500,
  /** Certificates on a list. */
  revoked: 10_000,
} as const

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const { subtle } = webcrypto

/** Files that were written. */
export type Written = readonly string[]

/** Throws ERR_FR_CERTIFICATE. */
function requireName(name: string): void {
  const isName = name.length <= caLimits.nameChars && /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)
  if (isName && name !== 'ca') return
  const what = `has 1 to ${caLimits.nameChars} letters, digits and . _ - and is not ca`
  throw new FrError('ERR_FR_CERTIFICATE', `a name ${what}: ${JSON.stringify(name)}`)
}

/** Rejects with ERR_FR_EXISTS where the directory has an authority. */
export async function initCa(directory: string, days: number = caLimits.caDays): Promise<Written> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const at = placesIn(directory)
  const keys = await freshKeys()
  const name = `fastreplica CA ${randomBytes(4).toString('hex')}`
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [name] }],
    ...periodOf(days),
    serialNumber: freshSerial(),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  await write(at.key, await pemOf(keys.privateKey), 0o600)
  await write(at.certificate, `${certificate.toString('pem')}\n`, 0o644)
  await write(at.list, await listOf({ certificate, key: keys.privateKey }, []), 0o644)
  return [at.certificate, at.key, at.list]
}

/** `isRenewal`: a certificate of the same key takes the place of the one that is there. */
export async function issue(
  directory: string,
  name: string,
  { days = caLimits.leafDays as number, isRenewal = false } = {},
): Promise<Written> {
  requireName(name)
  const ca = await openCa(directory)
  const at = placesOf(directory, name)
  const keys = isRenewal ? await keysIn(at.key) : await freshKeys()
  const certificate = await x509.X509CertificateGenerator.create({
    subject: [{ CN: [name] }],
    issuer: ca.certificate.subjectName,
    ...periodOf(days, ca.certificate.notAfter),
    serialNumber: freshSerial(),
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey: ca.key,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      // Every side dials and accepts.
      new x509.ExtendedKeyUsageExtension([
        x509.ExtendedKeyUsage.serverAuth,
        x509.ExtendedKeyUsage.clientAuth,
      ]),
      new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: name }]),
      await x509.AuthorityKeyIdentifierExtension.create(ca.certificate),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  const text = `${certificate.toString('pem')}\n`
  if (isRenewal) {
    await replace(at.certificate, text)
    return [at.certificate]
  }
  await write(at.key, await pemOf(keys.privateKey), 0o600)
  await write(at.certificate, text, 0o644)
  return [at.certificate, at.key]
}

/** Puts the certificate of this name on the list. One that was renewed before it stays valid. */
export async function revoke(directory: string, name: string): Promise<Written> {
  requireName(name)
  const ca = await openCa(directory)
  const at = placesIn(directory)
  const { serialNumber } = certificateIn(await textOf(placesOf(directory, name).certificate))
  const { entries } = new x509.X509Crl(await textOf(at.list))
  const before = entries.map((entry) => ({
    serialNumber: entry.serialNumber,
    revocationDate: entry.revocationDate,
  }))
  const isThere = before.some(
    (entry) => BigInt(`0x${entry.serialNumber}`) === BigInt(`0x${serialNumber}`),
  )
  if (isThere) return []
  if (before.length >= caLimits.revoked)
    throw new FrError('ERR_FR_LIMIT', `the list has ${before.length} certificates already`)
  const entry = { serialNumber, revocationDate: new Date() }
  await replace(at.list, await listOf(ca, [...before, entry]))
  return [at.list]
}

interface Ca {
  readonly certificate: x509.X509Certificate
  readonly key: webcrypto.CryptoKey
}

interface Entry {
  readonly serialNumber: string
  readonly revocationDate: Date
}

async function listOf({ certificate, key }: Ca, entries: Entry[]): Promise<string> {
  const list = await x509.X509CrlGenerator.create({
    issuer: certificate.subjectName,
    thisUpdate: new Date(),
    // A list that has expired refuses everybody: it is valid for as long as its authority.
    nextUpdate: certificate.notAfter,
    signingAlgorithm: algorithm,
    signingKey: key,
    entries,
  })
  // As OpenSSL names it; the library has another name.
  return `${x509.PemConverter.encode(list.rawData, 'X509 CRL')}\n`
}

async function openCa(directory: string): Promise<Ca> {
  const at = placesIn(directory)
  const certificate = certificateIn(await textOf(at.certificate))
  return { certificate, key: (await keysIn(at.key)).privateKey }
}

function certificateIn(text: string): x509.X509Certificate {
  try {
    return new x509.X509Certificate(text)
  } catch (cause) {
    throw new FrError('ERR_FR_CERTIFICATE', 'the certificate cannot be read', { cause })
  }
}

const exportable = [true, ['sign', 'verify']] as const

async function freshKeys(): Promise<webcrypto.CryptoKeyPair> {
  const [isExportable, uses] = exportable
  return subtle.generateKey(algorithm, isExportable, [...uses])
}

async function pemOf(key: webcrypto.CryptoKey): Promise<string> {
  const pem = x509.PemConverter.encode(await subtle.exportKey('pkcs8', key), 'PRIVATE KEY')
  return `${pem}\n`
}

async function keysIn(path: string): Promise<webcrypto.CryptoKeyPair> {
  const text = await textOf(path)
  try {
    const der = x509.PemConverter.decodeFirst(text)
    const privateKey = await subtle.importKey('pkcs8', der, algorithm, true, ['sign'])
    const { kty, crv, x, y } = await subtle.exportKey('jwk', privateKey)
    const point = { kty, crv, x, y } as webcrypto.JsonWebKey
    return {
      privateKey,
      publicKey: await subtle.importKey('jwk', point, algorithm, true, ['verify']),
    }
  } catch {
    // What went wrong might quote the key.
    throw new FrError('ERR_FR_CERTIFICATE', `${path} is no key that fr ca has made`, { path })
  }
}

/** From an hour ago on, for clocks that are late; not longer than the authority. */
function periodOf(days: number, most?: Date): { notBefore: Date; notAfter: Date } {
  const now = Date.now()
  const end = new Date(now + days * 86_400_000)
  const notAfter = most !== undefined && most < end ? most : end
  return { notBefore: new Date(now - 3_600_000), notAfter }
}

/** Positive, as RFC 5280 wants it. */
function freshSerial(): string {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] as number) & 0x3f) | 0x40
  return bytes.toString('hex')
}

function placesIn(directory: string) {
  return { ...placesOf(directory, 'ca'), list: join(directory, 'ca.crl') }
}

function placesOf(directory: string, name: string) {
  return { certificate: join(directory, `${name}.crt`), key: join(directory, `${name}.key`) }
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw failed(path, error)
  }
}

async function write(path: string, text: string, mode: number): Promise<void> {
  try {
    const file = await open(path, 'wx', mode)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
  } catch (error) {
    throw failed(path, error)
  }
}

async function replace(path: string, text: string): Promise<void> {
  const next = `${path}.new`
  await rm(next, { force: true })
  await write(next, text, 0o644)
  try {
    await rename(next, path)
  } catch (error) {
    throw failed(path, error)
  }
}

function failed(path: string, error: unknown): FrError {
  if (error instanceof FrError) return error
  const { code, errno, message } = error as NodeJS.ErrnoException
  const details = { path, cause: error, ...(errno !== undefined && { errno: Math.abs(errno) }) }
  if (code === 'EEXIST')
    return new FrError('ERR_FR_EXISTS', `${path} exists; it is never written over`, details)
  return new FrError('ERR_FR_IO', `${path}: ${message}`, details)
}
