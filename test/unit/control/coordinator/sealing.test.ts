/** Which connections are sealed, by nodes and by the links between sites. */
import { expect, it } from 'vitest'
import { Sealing } from '../../../../src/control/coordinator/sealing.js'
import type { Peer } from '../../../../src/control/members/peer.js'
import type { Peers } from '../../../../src/control/members/peers.js'

/** Member 0 is the origin. */
function sealing(sites: readonly (string | undefined)[], sealed: readonly number[] = []) {
  const all: Peer[] = []
  for (const [at, site] of sites.entries())
    all[at + 1] = { isSealed: sealed.includes(at + 1), link: { site } } as unknown as Peer
  const siteLinks = [
    { sites: ['a', 'b'], bytesPerSecond: 1, isSealed: true },
    { sites: ['b', 'c'], bytesPerSecond: 1 },
  ] as const
  return { all, sealing: new Sealing({ site: 'a', siteLinks }, { all } as unknown as Peers) }
}

it('are those between the sites of a sealed link, either way, and no others', () => {
  const { sealing: found } = sealing(['a', 'b', 'b', 'c', undefined])
  const pairs = [0, 1, 2, 3, 4, 5].flatMap((one) => [1, 2, 3, 4, 5].map((other) => [one, other]))
  const sealed = pairs.filter(([one, other]) => found.between(one as number, other as number))
  expect(sealed).toEqual([
    [0, 2],
    [0, 3],
    [1, 2],
    [1, 3],
    [2, 1],
    [3, 1],
  ])
  expect([1, 2].map((to) => found.ofOrigin(to))).toEqual([false, true])
})

it('are all of a node that wants it, and after a takeover all of a site with such a link', () => {
  const { all, sealing: found } = sealing(['a', 'c', 'c'], [3])
  expect(found.between(2, 3)).toBe(true)
  expect(found.between(0, 2)).toBe(false)
  expect(all.slice(1).map((peer) => found.isAlways(peer))).toEqual([true, false, true])
})
