/** What proves to the other side that this one belongs to the cluster. */

/** Paths of files in PEM; they are read again when they change. */
export interface TlsOptions {
  /** Certificates of the authorities that are trusted. */
  ca: string
  /** Certificate of this side, and those between it and the authority. */
  cert: string
  /** Its private key, which others cannot read. */
  key: string
  /** What the authorities have revoked: a list of each of them. */
  crl?: string
}

/** One of both; without either only loopback is served and dialled. */
export interface Credentials {
  /** At least 32 bytes. Text is used as its UTF-8 bytes without one trailing newline. */
  key?: Uint8Array | string
  /** Certificates in place of a key, at all nodes and clients. */
  tls?: TlsOptions
}
