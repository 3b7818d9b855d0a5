/** Which time counts for a node that is being connected to. */
import { expect, it } from 'vitest'
import { limits } from '../../../../src/base/limits.js'
import { Extent } from '../../../../src/control/coordinator/extent.js'
import { PeerWatch } from '../../../../src/control/coordinator/watch.js'
import { Peer } from '../../../../src/control/members/peer.js'
import { peerThat } from '../peers.js'

const { connectMs, progressMs, silenceMs } = limits
const config = {
  extent: new Extent(1, 65_536),
  digestBytes: 8,
  nodes: [],
  nodeId: 'f'.repeat(32),
  connectMs,
  progressMs,
  silenceMs,
}
const link = { address: 'some-name:7400' }
const tooLate = { code: 'ERR_FR_UNREACHABLE', text: 'no connection in time' }

it('the time to connect begins when the address is known', () => {
  const watch = new PeerWatch(config)
  const peer = new Peer(0, link, 0)
  expect(watch.failure(peer, connectMs)).toEqual(tooLate)
  peer.lookUp(true, 10)
  expect(watch.failure(peer, 100 * connectMs)).toBeNull()
  expect(watch.dueMs(peer)).toBe(Number.POSITIVE_INFINITY)
  peer.lookUp(false, 5000)
  expect(watch.failure(peer, 5000 + connectMs - 1)).toBeNull()
  expect(watch.failure(peer, 5000 + connectMs)).toEqual(tooLate)
  expect(watch.dueMs(peer)).toBe(5000 + connectMs)
})

it('a look-up that ends after the node has failed changes nothing', () => {
  const watch = new PeerWatch(config)
  const peer = peerThat('out')
  peer.lookUp(false, 5000)
  expect([peer.phase, watch.failure(peer, 100 * connectMs)]).toEqual(['out', null])
})
