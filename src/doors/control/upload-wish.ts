/** What is asked of an upload, in headers of tus. Pure. */
import { checkHeldName } from '../../api/held-name.js'
import { isAnyHost, parseAddress } from '../../base/addresses.js'
import { parseCriteria } from '../../base/criteria.js'
import { doorLimits } from '../../base/door-limits.js'
import { limits } from '../../base/limits.js'
import { wrongRequest } from '../problem.js'

export const tusVersion = '1.0.0'

/** Of every answer about tus. */
export const tusHeaders = {
  'tus-resumable': tusVersion,
  'tus-version': tusVersion,
  'tus-extension': 'creation,termination',
  'tus-max-size': String(doorLimits.uploadBytes),
} as const

/** What is to become of an upload. */
export interface UploadWish {
  /** Name at the nodes. */
  readonly name: string
  /** Criteria by which it is published; null: it is pushed. */
  readonly where: string | null
  /** HOST:PORT of the nodes; empty: the node of the door. */
  readonly to: readonly string[]
  /** Its SHA-256 in hex digits; null: nobody has said. */
  readonly sha256: string | null
}

export interface Said {
  readonly name?: string
  readonly filename?: string
  readonly where?: string
  readonly to?: string
  readonly sha256?: string
}

/** Throws HttpError 400, ERR_FR_NAME, ERR_FR_CRITERIA. */
export function wishOf(said: Said): UploadWish {
  const name = said.name ?? said.filename
  if (name === undefined)
    throw wrongRequest(400, 'name (or filename) is missing in Upload-Metadata')
  checkHeldName(name, 'name')
  const { where = null, sha256 = null } = said
  if (where !== null) parseCriteria(where)
  const to = said.to === undefined ? [] : said.to.split(',').map((one) => one.trim())
  if (where !== null && to.length > 0) throw wrongRequest(400, 'either where or to')
  if (to.length > doorLimits.uploadNodes)
    throw wrongRequest(400, `to: more than ${doorLimits.uploadNodes} nodes`)
  for (const one of to) {
    const address = parseAddress(one, limits.defaultPort)
    if (address === null || isAnyHost(address.host))
      throw wrongRequest(400, 'to: addresses are HOST[:PORT]')
  }
  if (sha256 !== null && !/^[0-9a-f]{64}$/.test(sha256))
    throw wrongRequest(400, 'sha256 has 64 hex digits')
  return { name, where, to, sha256 }
}

const known = ['name', 'filename', 'where', 'to', 'sha256'] as const

/** `Upload-Metadata`: keys with values in base64. What nobody here knows is passed over. */
export function metadataIn(header: string | string[] | undefined): Said {
  const said: { [name: string]: string } = {}
  if (header === undefined) return said
  for (const pair of String(header).split(',')) {
    const [key = '', value = '', ...more] = pair.trim().split(' ')
    const isBase64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(value)
    if (key === '' || more.length > 0 || !isBase64)
      throw wrongRequest(400, 'Upload-Metadata has keys with values in base64, separated by commas')
    if (Object.hasOwn(said, key))
      throw wrongRequest(400, `Upload-Metadata: ${key.slice(0, 64)} is there twice`)
    if (!(known as readonly string[]).includes(key)) continue
    try {
      said[key] = new TextDecoder('utf8', { fatal: true }).decode(Buffer.from(value, 'base64'))
    } catch {
      throw wrongRequest(400, `Upload-Metadata: ${key} is not UTF-8`)
    }
  }
  return said
}

/** A number of bytes. */
export function countIn(header: string | string[] | undefined, name: string): number {
  const value = Number(header)
  if (typeof header !== 'string' || !/^\d{1,16}$/.test(header) || !Number.isSafeInteger(value))
    throw wrongRequest(400, `${name} is a number of bytes`)
  return value
}
