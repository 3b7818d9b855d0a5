/** What crossed from site to site, by the reports of those who received it. */
import type { Peer } from '../members/peer.js'

export interface Crossing {
  /** Null: the origin and nodes, where nobody has said in which site they stand. */
  readonly from: string | null
  readonly to: string
  /** Payload, repeats included. */
  readonly bytes: number
}

/** In the order in which sites first received anything. */
export function crossingsOf(peers: readonly Peer[], originSite: string | null): Crossing[] {
  const crossed = new Map<string, { from: string | null; to: string; bytes: number }>()
  const add = (from: string | null, to: string, bytes: number): void => {
    if (from === to || bytes <= 0) return
    const key = JSON.stringify([from, to])
    const known = crossed.get(key) ?? { from, to, bytes: 0 }
    crossed.set(key, known)
    known.bytes += bytes
  }
  for (const { link, counts } of peers) {
    if (link.site === undefined) continue
    let fromNodes = 0
    for (const [node, bytes] of counts.receivedFrom) {
      fromNodes += bytes
      add(peers[node]?.link.site ?? null, link.site, bytes)
    }
    add(originSite, link.site, counts.receivedBytes - fromNodes)
  }
  return [...crossed.values()]
}
