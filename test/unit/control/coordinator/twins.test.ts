/** Two addresses of one node, and two machines that were copied with their node id. */
import { expect, it } from 'vitest'
import { limits } from '../../../../src/base/limits.js'
import { Extent } from '../../../../src/control/coordinator/extent.js'
import { OriginMachine } from '../../../../src/control/coordinator/machine.js'
import { UnicastDealer } from '../../../../src/control/dealing/unicast.js'

const { connectMs, progressMs, silenceMs } = limits
const times = { nodeId: 'f'.repeat(32), connectMs, progressMs, silenceMs }

it.each([
  ['of one start are one node', 7, 7, 'refused'],
  ['of two starts are two', 7, 8, undefined],
])('equal node ids %s', (_, first, second, status) => {
  const nodes = [{ address: 'a:1' }, { address: 'b:1' }]
  const config = { extent: new Extent(1, 65_536), digestBytes: 8, nodes, ...times }
  const machine = new OriginMachine(config, new UnicastDealer('adaptive', 1), 0)
  machine.start()
  machine.handle({ type: 'linked', member: 0, nodeId: 'same', incarnation: first }, 0)
  machine.handle({ type: 'linked', member: 1, nodeId: 'same', incarnation: second }, 0)
  expect(machine.peers.map((peer) => peer.outcome?.status)).toEqual([undefined, status])
})
