/** Checks what a caller proves itself with: a key, certificates, or nothing. */
import { Certificates } from '../net/certificates.js'
import { Key, openKey, parseKey } from '../net/keys.js'
import { requireText } from './checks.js'
import type { Credentials } from './credential-types.js'

/**
 * Throws TypeError, ERR_FR_KEY or ERR_FR_CERTIFICATE. With neither the result is the open key,
 * which serves and dials loopback only.
 */
export function checkCredentials({ key, tls }: Credentials): Key {
  if (tls === undefined) return checkKey('key', key)
  if (key !== undefined) throw new TypeError('key and tls exclude each other')
  if (typeof tls !== 'object' || tls === null) throw new TypeError('tls must be an object')
  for (const name of Object.keys(tls))
    if (!['ca', 'cert', 'key', 'crl'].includes(name))
      throw new TypeError(`tls has no option '${name}'; it has ca, cert, key, crl`)
  for (const name of ['ca', 'cert', 'key'] as const) requireText(`tls.${name}`, tls[name])
  if (tls.crl !== undefined) requireText('tls.crl', tls.crl)
  return Key.certified(new Certificates(tls))
}

export function checkKey(option: string, key: Uint8Array | string | undefined): Key {
  if (key === undefined) return openKey
  if (typeof key !== 'string' && !(key instanceof Uint8Array)) {
    throw new TypeError(`${option} must be a string or a Uint8Array`)
  }
  return parseKey(key)
}

/** Of the options of a call, those that it is proved with. */
export function credentialsOf({ key, tls }: Credentials): Credentials {
  return { ...(key !== undefined && { key }), ...(tls !== undefined && { tls }) }
}
