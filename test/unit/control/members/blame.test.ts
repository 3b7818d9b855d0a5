/** Blame: the first hop at which a block was bad, and how the origin's log names it. */
import { describe, expect, it } from 'vitest'
import { limits } from '../../../../src/base/limits.js'
import type { RangePair } from '../../../../src/base/ranges.js'
import type { OriginFact } from '../../../../src/control/coordinator/events.js'
import { Extent } from '../../../../src/control/coordinator/extent.js'
import { OriginMachine } from '../../../../src/control/coordinator/machine.js'
import { firstBadHop } from '../../../../src/control/members/blame.js'
import { Peer } from '../../../../src/control/members/peer.js'
import { classicDealer } from '../dealing/dealers.js'

const block = 65_536

describe('firstBadHop', () => {
  // Node 0 relays blocks 0 and 1, node 1 blocks 2 and 3 (the first half of 3), node 2 nothing;
  // block 4 went from the origin to everybody.
  const deal: readonly (readonly RangePair[])[] = [[[0, 2 * block]], [[2 * block, 1.5 * block]], []]

  it.each<[string, number[], number, number, string, string]>([
    // [what, who found it bad before, block, who says so, from, to]
    ['the relay itself', [], 0, 0, 'the origin', 'n0'],
    ['a mate of an innocent relay', [], 0, 1, 'n0', 'n1'],
    ['another mate', [1], 0, 2, 'n0', 'n2'],
    ['a mate of a relay that has it bad, too', [0], 0, 2, 'the origin', 'n0'],
    ['the other relay’s block', [0], 2, 0, 'n1', 'n0'],
    ['a block whose unit ends in its middle', [], 3, 2, 'n1', 'n2'],
    ['a block that nobody relays', [], 4, 2, 'the origin', 'n2'],
    ['the same, bad elsewhere', [0, 1], 4, 2, 'the origin', 'n2'],
  ])('%s', (_, before, index, reporter, from, to) => {
    const group = [0, 1, 2].map((node) => new Peer(node, { address: `n${node}` }, 0))
    for (const node of [...before, reporter]) group[node]?.bad.add(index * block, block)
    const hop = firstBadHop(
      group,
      group[reporter] as Peer,
      [index * block, block],
      (node) => deal[node] ?? [],
    )
    expect(hop).toMatchObject({ from, to })
  })

  it('finds a gateway, which judges nothing, by what two of its mates say', () => {
    const peerOf = (node: number, role?: 'gateway') =>
      new Peer(node, { address: `n${node}` }, 0, undefined, role)
    const group = [peerOf(0), peerOf(1), peerOf(2, 'gateway')]
    const hop = (reporter: number) => {
      const peer = group[reporter] as Peer
      peer.bad.add(0, block)
      return firstBadHop(group, peer, [0, block], (node) => (node === 2 ? [[0, block]] : []))
    }
    expect(hop(0)).toMatchObject({ from: 'n2', to: 'n0' })
    expect(hop(1)).toMatchObject({ from: 'the origin', to: 'n2' })
  })

  it('tells neighbouring blocks apart', () => {
    const group = [0, 1].map((node) => new Peer(node, { address: `n${node}` }, 0))
    group[0]?.bad.add(block, block)
    const hop = firstBadHop(group, group[1] as Peer, [0, block], (node) => deal[node] ?? [])
    expect(hop).toMatchObject({ from: 'n0', to: 'n1' })
  })
})

describe('the origin’s log', () => {
  const bytes = 3 * block
  const running = () => {
    const config = {
      extent: new Extent(bytes, block),
      digestBytes: 8,
      nodes: [0, 1, 2].map((node) => ({ address: `n${node}:1` })),
      nodeId: 'f'.repeat(32),
      connectMs: limits.connectMs,
      progressMs: limits.progressMs,
      silenceMs: limits.silenceMs,
    }
    const machine = new OriginMachine(config, classicDealer(bytes, block), 0)
    machine.start()
    for (const node of [0, 1, 2]) {
      const events: OriginFact[] = [
        { type: 'linked', member: node, nodeId: `id${node}` },
        { type: 'said', member: node, frame: { type: 'accept', have: [] } },
        { type: 'fedOut', member: node },
      ]
      for (const event of events) machine.handle(event, 0)
    }
    return machine
  }
  const said = (machine: OriginMachine, node: number, index: number) =>
    machine
      .handle(
        {
          type: 'said',
          member: node,
          frame: { type: 'bad', offset: index * block, length: block },
        },
        1,
      )
      .flatMap((c) =>
        c.type === 'note' && c.event === 'bad-block' ? [[c.level, c.member, c.fields['text']]] : [],
      )

  it('names hop and range, at the node that found it', () => {
    const machine = running()
    expect(said(machine, 2, 0)).toEqual([
      ['warn', 2, `offset 0, length ${block}, first bad between n0:1 and n2:1`],
    ])
  })

  it.each([
    [-1, block],
    [0, 1],
    [block, block + 1],
    [3 * block, block],
    [2 * block, 2 * block],
  ])('a node that finds %i, %i bad breaks the protocol', (offset, length) => {
    const machine = running()
    const frame = { type: 'bad' as const, stream: 0, offset, length }
    machine.handle({ type: 'said', member: 1, frame }, 1)
    expect(machine.peers[1]?.outcome?.reason).toMatch(/^ERR_FR_PROTOCOL/)
    expect(machine.peers[1]?.bad.isEmpty).toBe(true)
    expect(machine.peers[0]?.outcome).toBeUndefined()
  })

  it('has the last word right when the relay judges later than its mate', () => {
    const machine = running()
    expect(said(machine, 2, 1)[0]?.[2]).toContain('between n1:1 and n2:1')
    expect(said(machine, 1, 1)[0]?.[2]).toContain('between the origin and n1:1')
    expect(said(machine, 0, 1)[0]?.[2]).toContain('between the origin and n1:1')
  })
})
