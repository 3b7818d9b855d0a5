/**
 * Which certificates lists of revoked ones name. Whether such a list is the authority's, and still
 * valid, OpenSSL judges with every new connection; here it only ends what is open. Loaded when a
 * list changes while links are open.
 */
import 'reflect-metadata'
import { X509Certificate, X509Crl } from '@peculiar/x509'

/** `unclear`: what OpenSSL has read cannot be read here, so only a new connection can tell. */
export type Revocation = 'revoked' | 'unclear' | 'none'

/** Of lists in PEM: what they say of a certificate (DER). */
export function revokedIn(lists: readonly string[]): (certificate: Uint8Array) => Revocation {
  const named = new Set<string>()
  let isAll = true
  for (const list of lists)
    try {
      const { issuer, entries } = new X509Crl(list)
      for (const { serialNumber } of entries) named.add(nameOf(issuer, serialNumber))
    } catch {
      isAll = false
    }
  return (der) => {
    try {
      const { issuer, serialNumber } = new X509Certificate(Buffer.from(der))
      if (named.has(nameOf(issuer, serialNumber))) return 'revoked'
      return isAll ? 'none' : 'unclear'
    } catch {
      return 'unclear'
    }
  }
}

/** Serial numbers may be written with zeros before them. */
function nameOf(issuer: string, serialNumber: string): string {
  return `${BigInt(`0x${serialNumber}`)} ${issuer}`
}
