/**
 * Which certificates lists of revoked ones name. Whether such a list is the authority's, and still
 * valid, OpenSSL judges with every new connection; here it only ends what is open. Loaded when a
 * list changes while links are open.
 */
import 'reflect-metadata'
import { X509Certificate, X509Crl } from '@peculiar/x509'

/** Of lists in PEM: true for a certificate (DER) that one of them names. */
export function revokedIn(lists: readonly string[]): (certificate: Uint8Array) => boolean {
  const named = new Set<string>()
  for (const list of lists) {
    const { issuer, entries } = new X509Crl(list)
    for (const { serialNumber } of entries) named.add(nameOf(issuer, serialNumber))
  }
  return (der) => {
    const { issuer, serialNumber } = new X509Certificate(Buffer.from(der))
    return named.has(nameOf(issuer, serialNumber))
  }
}

/** Serial numbers may be written with zeros before them. */
function nameOf(issuer: string, serialNumber: string): string {
  return `${BigInt(`0x${serialNumber}`)} ${issuer}`
}
