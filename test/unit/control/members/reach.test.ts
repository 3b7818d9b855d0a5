/** The one sentence about nodes that cannot dial each other. */
import { describe, expect, it } from 'vitest'
import { Peer } from '../../../../src/control/members/peer.js'
import { Reach } from '../../../../src/control/members/reach.js'

const advice =
  'say where they can be dialled with fr node --advertise or advertise= in a nodes file'

function group(count: number): Peer[] {
  return Array.from({ length: count }, (_, i) => new Peer(i, { address: `n${i}:1` }, 0))
}

function summary(peers: Peer[], lost: readonly (readonly [number, number])[]): string | null {
  const reach = new Reach()
  for (const [from, to] of lost)
    reach.lost(peers[from] as Peer, peers[to] as Peer, 'ERR_FR_UNREACHABLE')
  return reach.summary(peers)
}

describe('nodes that cannot dial each other', () => {
  it('are not spoken of while all can', () => {
    expect(summary(group(3), [])).toBeNull()
  })

  it('are no two that can', () => {
    const pairs = [0, 1, 2].flatMap((from) =>
      [0, 1, 2].flatMap((to) => (from === to ? [] : [[from, to] as const])),
    )
    expect(summary(group(3), pairs)).toBe(
      `no two of the 3 nodes reach each other: everything came from the origin; ${advice}`,
    )
  })

  it('are some that nobody reaches', () => {
    const to = (node: number) =>
      [0, 1, 2, 3, 4, 5].filter((from) => from !== node).map((from) => [from, node] as const)
    expect(summary(group(6), to(2))).toBe(
      `1 of 6 nodes cannot be reached by the others (n2:1); ${advice}`,
    )
    expect(summary(group(6), [...to(1), ...to(2), ...to(3), ...to(4)])).toBe(
      `4 of 6 nodes cannot be reached by the others (n1:1, n2:1, n3:1, ...); ${advice}`,
    )
  })

  it('are single pairs', () => {
    expect(
      summary(group(3), [
        [0, 1],
        [0, 1],
      ]),
    ).toBe(`1 of 6 connections between nodes could not be made (n0:1 to n1:1); ${advice}`)
  })

  it('are not those whose connection broke', () => {
    const peers = group(2)
    const reach = new Reach()
    reach.lost(peers[0] as Peer, peers[1] as Peer, 'ERR_FR_NODE_LOST')
    expect(reach.summary(peers)).toBeNull()
  })
})
