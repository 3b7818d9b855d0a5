/**
 * `NAME.meta4` (RFC 5854): where else the same file is, so that a program such as aria2c brings it
 * from several nodes at once.
 *
 * The idea: who holds what is not remembered. Each door that this one was told of is asked when a
 * description is, and counts where it has a file of this name and tag now.
 */

import { version } from '../../api/version.js'
import { doorLimits } from '../../base/door-limits.js'
import { escaped } from './listing.js'
import { pathOf } from './semantics.js'

export const metalinkType = 'application/metalink4+xml'
export const metalinkEnd = '.meta4'

export interface Described {
  readonly name: Uint8Array
  readonly size: number
  /** With its quotation marks. */
  readonly etag: string
  /** 64 hex digits; null: not known yet. */
  readonly sha256: string | null
}

/** Origins (`http://HOST:PORT`, or https) of doors. Throws TypeError. */
export function checkPeers(peers: readonly string[]): string[] {
  if (peers.length > doorLimits.peers) throw new TypeError(`peers: at most ${doorLimits.peers}`)
  return peers.map((peer) => {
    const text = /^https?:\/\//i.test(peer) ? peer : `http://${peer}`
    const url = URL.canParse(text) ? new URL(text) : undefined
    const isOrigin = url !== undefined && url.hostname !== '' && /^\/?$/.test(url.pathname)
    if (!isOrigin || url.username !== '' || url.search !== '' || url.hash !== '')
      throw new TypeError(`peers: '${peer}' is neither HOST:PORT nor http[s]://HOST:PORT`)
    return url.origin
  })
}

/** Of these doors those that have the file now; those that do not answer in time have not. */
export async function holdersOf(
  { name, etag }: Pick<Described, 'name' | 'etag'>,
  peers: readonly string[],
  signal: AbortSignal,
): Promise<string[]> {
  const urls = peers.map((peer) => `${peer}/files/${pathOf(name)}`)
  const answers = urls.map(async (url) => {
    const timeout = AbortSignal.timeout(doorLimits.peerMs)
    const how = { method: 'HEAD', redirect: 'error', signal: AbortSignal.any([timeout, signal]) }
    const { status, headers } = await fetch(url, how as RequestInit)
    return status === 200 && headers.get('etag') === etag
  })
  const found = await Promise.all(answers.map((answer) => answer.catch(() => false)))
  return urls.filter((_, at) => found[at])
}

/** `urls`: each as good as the others. Null: no XML can have the name. */
export function metalinkOf(
  { name, size, sha256 }: Described,
  urls: readonly string[],
): string | null {
  const text = textOf(name)
  if (text === null) return null
  const last = text.slice(text.lastIndexOf('/') + 1)
  const lines = urls.map((url) => `    <url priority="1">${escaped(url)}</url>\n`)
  return `<?xml version="1.0" encoding="UTF-8"?>
<metalink xmlns="urn:ietf:params:xml:ns:metalink">
  <generator>fastreplica/${version}</generator>
  <file name="${escaped(last)}">
    <size>${size}</size>
${sha256 === null ? '' : `    <hash type="sha-256">${sha256}</hash>\n`}${lines.join('')}  </file>
</metalink>
`
}

/** Without what XML 1.0 has no word for. */
function textOf(name: Uint8Array): string | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(name)
    const isPlain = [...text].every((char) => char >= ' ' && char !== '\ufffe' && char !== '\uffff')
    return isPlain ? text : null
  } catch {
    return null
  }
}
