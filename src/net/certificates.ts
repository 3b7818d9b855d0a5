/**
 * Certificates in place of the cluster's key: the files of this side, and the TLS context that they
 * make. They are looked at whenever a connection is made, and read again where one of them is not
 * that of the last look: what is renewed counts for the next connection. Files that cannot be used,
 * such as a new certificate beside an old key, change nothing until they can.
 *
 * Links that are open keep what was proved when they began, but for one thing: where a list of what
 * is revoked changes, those to whoever is on it are closed.
 *
 * Never: a private key that others can read; a byte of it in an error.
 */
import { constants as ssl } from 'node:crypto'
import type { Socket } from 'node:net'
import { createSecureContext, type PeerCertificate, type SecureContext } from 'node:tls'
import { certificateNameOf } from '../base/certificate-names.js'
import type { FrError } from '../base/errors.js'
import type { Logger } from '../base/log.js'
import { tlsLimits } from '../base/tls-limits.js'
import { blocksOf, certificatesIn, readPair, readPem, stampsOf, wrong } from './pem-files.js'

/** Paths of files in PEM. */
export interface TlsFiles {
  /** The authorities that are trusted. */
  readonly ca: string
  /** The certificate of this side, and those between it and the authority. */
  readonly cert: string
  /** Its private key. */
  readonly key: string
  /** What the authorities have revoked; one list of each of them. */
  readonly crl?: string | undefined
}

interface Loaded {
  readonly context: SecureContext
  readonly name: string
  readonly crls: readonly string[]
}

/** A link that is open. */
interface Open {
  readonly nodeId: string
  readonly certificate: Uint8Array
  readonly name: string
}

export class Certificates {
  readonly #files: TlsFiles
  readonly #open = new Map<Socket, Open>()
  readonly #listeners = new Set<(nodeId: string, name: string) => void>()
  #log: Logger = () => {}
  #loaded: Loaded
  #seen: string
  /** Files that could not be used. */
  #refused = ''
  #timer: NodeJS.Timeout | undefined

  /** Throws ERR_FR_CERTIFICATE. */
  constructor(files: TlsFiles) {
    this.#files = files
    this.#seen = seenOf(files)
    this.#loaded = load(files)
  }

  /** Name of this side. */
  get name(): string {
    return this.#loaded.name
  }

  get context(): SecureContext {
    this.#look()
    return this.#loaded.context
  }

  logTo(log: Logger): void {
    this.#log = log
  }

  /** Called for each peer whose certificate is found revoked while a link to it is open. */
  onRevoked(listener: (nodeId: string, name: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** The link is closed once the certificate of its other end is revoked. */
  connected(socket: Socket, open: Open): void {
    if (this.#files.crl === undefined || socket.destroyed) return
    this.#open.set(socket, open)
    socket.once('close', () => this.#open.delete(socket))
    this.#timer ??= this.#later()
  }

  #later(): NodeJS.Timeout {
    return setTimeout(() => {
      this.#timer = undefined
      this.#look()
      if (this.#open.size > 0) this.#timer ??= this.#later()
    }, tlsLimits.lookMs).unref()
  }

  #look(): void {
    const seen = seenOf(this.#files)
    if (seen === this.#seen || seen === this.#refused) return
    try {
      const before = this.#loaded
      this.#loaded = load(this.#files)
      this.#seen = seen
      this.#refused = ''
      const fields = { name: this.#loaded.name, path: this.#files.cert }
      this.#log({ level: 'info', event: 'certificates-read', fields })
      if (before.crls.join() !== this.#loaded.crls.join()) void this.#cutRevoked()
    } catch (error) {
      this.#refused = seen
      const text = (error as Error).message
      const fields = { code: 'ERR_FR_CERTIFICATE', text }
      this.#log({ level: 'error', event: 'certificates-refused', fields })
    }
  }

  async #cutRevoked(): Promise<void> {
    if (this.#open.size === 0) return
    const { revokedIn } = await import('./revoked.js')
    const found = revokedIn(this.#loaded.crls)
    for (const [socket, { nodeId, certificate, name }] of [...this.#open]) {
      const verdict = found(certificate)
      if (verdict === 'none') continue
      this.#open.delete(socket)
      const isRevoked = verdict === 'revoked'
      const event = isRevoked ? 'certificate-revoked' : 'certificate-unclear'
      this.#log({ level: 'warn', event, fields: { peer: nodeId, name } })
      if (isRevoked) for (const listener of this.#listeners) listener(nodeId, name)
      // What runs over it ends by itself first, with a reason, where it can say one.
      setTimeout(() => socket.destroy(), 100).unref()
    }
  }
}

/** Null: the certificate names nobody. */
export function nameOfPeer({ subjectaltname, subject }: PeerCertificate): string | null {
  return certificateNameOf(subjectaltname, subject?.CN)
}

function load(files: TlsFiles): Loaded {
  const ca = readPem('ca', files.ca)
  const { cert, key, own } = readPair(files)
  const crls = files.crl === undefined ? [] : blocksOf(readPem('crl', files.crl), 'X509 CRL')
  for (const one of certificatesIn('ca', files.ca, ca)) if (!one.ca) throw noAuthority(files.ca)
  const { subject } = own.toLegacyObject()
  const name = certificateNameOf(own.subjectAltName, subject?.CN)
  if (name === null)
    throw wrong(
      files.cert,
      'names nobody: its first DNS or URI name, or common name, is to say who',
    )
  if (files.crl !== undefined && crls.length === 0)
    throw wrong(files.crl, 'has no list of revoked certificates (PEM)')
  try {
    const lists = crls.length === 0 ? {} : { crl: [...crls] }
    const context = createSecureContext({
      minVersion: 'TLSv1.3',
      maxVersion: 'TLSv1.3',
      secureOptions: ssl.SSL_OP_NO_TICKET,
      ...{ ca, cert, key, ...lists },
    })
    return { context, name, crls }
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException
    throw wrong(files.crl ?? files.cert, `cannot be used (${code})`)
  }
}

function seenOf({ ca, cert, key, crl }: TlsFiles): string {
  return stampsOf([ca, cert, key, ...(crl === undefined ? [] : [crl])])
}

function noAuthority(path: string): FrError {
  return wrong(path, 'has a certificate that is none of an authority')
}
