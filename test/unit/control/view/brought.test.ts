/** Who brought a node what it received. */
import { expect, it } from 'vitest'
import { Peer } from '../../../../src/control/members/peer.js'
import type { ProgressFrame, Role } from '../../../../src/control/messages/types.js'
import { broughtByMirror, broughtTo } from '../../../../src/control/view/brought.js'
import { progressOf } from '../plans.js'

const roles: Role[] = ['receiver', 'receiver', 'mirror', 'gateway', 'receiver']
const peers = roles.map((role, i) => new Peer(i, { address: `n${i}:1` }, 0, undefined, role))

it('is told by the roles of those that it names, and the origin brought the rest', () => {
  const [peer] = peers as [Peer]
  const received = [30, 200, 1_000, 4].map((bytes, i) => ({ member: i + 1, bytes }))
  peer.counts.report(progressOf({ receivedBytes: 2_000, received }) as ProgressFrame, 0)
  expect(broughtTo(peer, peers)).toEqual({
    fromOriginBytes: 766,
    fromMatesBytes: 34,
    fromMirrorsBytes: 200,
    fromRelaysBytes: 1_000,
  })
})

it("who pushed it in the origin's stead is a mirror", () => {
  const brought = { fromOriginBytes: 5, fromMatesBytes: 6, fromMirrorsBytes: 1, fromRelaysBytes: 2 }
  const { fromOriginBytes, fromMirrorsBytes, ...others } = broughtByMirror(brought)
  expect([fromOriginBytes, fromMirrorsBytes]).toEqual([0, 6])
  expect(others).toEqual({ fromMatesBytes: 6, fromRelaysBytes: 2 })
})
