/**
 * Bearer tokens: who asks, and what it may.
 *
 * Without a list one token counts, which follows from the cluster's key (`fr token`), and may
 * everything. Whoever has none may read on a door that only this machine reaches (loopback), and
 * nothing elsewhere. Where there is no key at all, every local user may everything, as at the
 * node's own port, and nobody reaches the door from elsewhere.
 *
 * Never: a token in a log or an error text; a token kept, but for its SHA-256.
 */
import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { httpToken } from '../api/keys.js'
import { utf8 } from '../base/bytes.js'
import { doorLimits } from '../base/door-limits.js'
import { type RightName, Rights } from '../base/rights.js'
import type { Who } from './mount.js'
import { HttpError } from './problem.js'

export interface Tokens {
  /** Undefined: nobody has this token. */
  find(sha256: string): Who | undefined
  /** Who asks without one. */
  readonly nobody: Who
  /** Reads again what it was read from. */
  reload?(): Promise<void>
  close?(): void
}

export interface KeyOfDoor {
  /** Undefined: there is none; with certificates nobody has a token of the key. */
  readonly key: string | Uint8Array | undefined
  /** There is neither a key nor are there certificates. */
  readonly isOpen: boolean
  /** Only this machine reaches the door. */
  readonly isLocal: boolean
}

/** Of a door without a list of tokens. */
export function tokensOfKey({ key, isOpen, isLocal }: KeyOfDoor): Tokens {
  if (isOpen) return { nobody: whoMay(Rights.everything, null), find: () => undefined }
  const nobody = whoMay(Rights.parse(isLocal ? 'get **, status' : 'none'), null)
  if (key === undefined) return { nobody, find: () => undefined }
  const sha256 = sha256Of(httpToken(key))
  const holder = whoMay(Rights.everything, 'key')
  return { nobody, find: (found) => (found === sha256 ? holder : undefined) }
}

/** Throws HttpError 401. */
export function whoAsks(request: IncomingMessage, tokens: Tokens): Who {
  const { authorization } = request.headers
  if (authorization === undefined) return tokens.nobody
  const token = tokenIn(authorization)
  if (token === '') return tokens.nobody
  const isShort = token !== undefined && token.length <= doorLimits.tokenChars
  const who = isShort ? tokens.find(sha256Of(token)) : undefined
  if (who === undefined) throw unauthorized('the token counts nothing here')
  return who
}

/**
 * Clients that know names and passwords alone send it as the password, under any name; or an empty
 * one where they have none.
 */
function tokenIn(authorization: string): string | undefined {
  const [, scheme, said = ''] = /^(bearer|basic) +(\S+) *$/i.exec(authorization) ?? []
  if (scheme?.toLowerCase() !== 'basic') return scheme && said
  return /^[^:]*:(\S*)$/.exec(Buffer.from(said, 'base64').toString('utf8'))?.[1]
}

/** Throws HttpError: 401 for who has shown no token, 403 for who has shown one. */
export function require(who: Who, right: RightName, name?: string | Uint8Array | null): void {
  if (who.rights(right, name)) return
  const text = `'${right}' is needed here`
  if (who.name === null) throw unauthorized(`${text}, and the request has no token`)
  throw new HttpError(403, 'ERR_FR_RIGHT', `${text}, and the token '${who.name}' lacks it`)
}

export function whoMay(rights: Rights, name: string | null): Who {
  const { attributes: said } = rights
  return {
    name,
    // Who is only named is not known well enough to say what it is not.
    attributes: said && { ...said, ...(name !== null && { name }) },
    rights: (right, of) => {
      const about = typeof of === 'string' ? utf8(of) : of
      return rights.missing({ right, ...(about !== undefined && { name: about }) }) === null
    },
  }
}

export function sha256Of(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}

function unauthorized(text: string): HttpError {
  return new HttpError(401, 'ERR_FR_AUTH', text, { 'www-authenticate': 'Bearer' })
}
