/**
 * Bytes that a member once sent on a data connection, replayed by an eavesdropper to the same node,
 * while it runs and after it has restarted. None is let in, and no member loses its place.
 */
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { KIB } from '../../src/base/limits.js'
import type { Mate } from '../../src/control/messages/types.js'
import { confirmBytes, provedBytes, ticketBytes } from '../../src/protocol/ticket.js'
import { usualEngines } from './engines.js'
import { Hostile, type HostileFeed, type HostileLink, keyText } from './hostile.js'
import { proxy } from './proxy.js'
import { until, useWorld } from './push-support.js'

const block = 64 * KIB
const file = { name: 'replayed.bin', bytes: 16 * block }
const refusalFirstByte = 0xf9

describe.each(usualEngines)('replays to a node on the %s engine', (engine) => {
  const world = useWorld(engine)

  function peer(address: string, transfer?: string): Hostile {
    const made = new Hostile(address, transfer)
    world.defer(() => made.dispose())
    return made
  }

  /** A member's data connection to the node, and all bytes that it has sent on it. */
  async function recorded(address: string, transfer: string): Promise<[HostileFeed, Buffer[]]> {
    const sent: Buffer[] = []
    const through = await proxy(address, (from, to) => {
      from.on('data', (chunk: Buffer) => sent.push(chunk))
      from.pipe(to)
    })
    world.defer(() => through.close())
    const mate = peer(through.address, transfer)
    return [await mate.data(1), sent]
  }

  const mateOf = (nodeId: string): Mate => ({ number: 1, nodeId, address: '127.0.0.1:1' })

  async function taking(origin: Hostile): Promise<HostileLink> {
    const link = await origin.accepted(file)
    link.say(origin.plan([mateOf('ab'.repeat(16))]))
    await link.next('progress')
    return link
  }

  /** Replays them as a careful dialler would, and returns the code of the refusal. */
  async function refusalOf(address: string, sent: readonly Buffer[]): Promise<string> {
    const bytes = Buffer.concat(sent)
    const socket = connect(Number(address.split(':')[1]), '127.0.0.1')
    world.defer(() => socket.destroy())
    socket.write(bytes.subarray(0, ticketBytes))
    let heard = Buffer.alloc(0)
    let challenges = 0
    for await (const chunk of socket) {
      heard = Buffer.concat([heard, chunk as Buffer])
      const length = provedBytes(heard)
      if (length === null || heard.length < length) continue
      const answer = heard.subarray(0, length)
      heard = heard.subarray(length)
      if (answer[0] === refusalFirstByte) return JSON.parse(answer.subarray(4).toString()).code
      // A second answer that is no refusal would be `go`.
      expect(++challenges).toBe(1)
      socket.write(bytes.subarray(ticketBytes, ticketBytes + confirmBytes))
    }
    throw new Error('closed without a word')
  }

  it('are refused while it runs, beside the connection and after it', async () => {
    const node = await world.node({ key: keyText })
    const landed = () => node.status().transfers[0]?.landedBytes
    const origin = peer(node.address)
    const link = await taking(origin)
    const [feed, sent] = await recorded(node.address, origin.transfer)
    feed.record({ length: block }, Buffer.alloc(block, 1))
    await until(() => landed() === block, 'the first block lands')
    expect(await refusalOf(node.address, sent)).toBe('ERR_FR_AUTH')
    // The owner of the place has not noticed.
    feed.record({ offset: block, length: block }, Buffer.alloc(block, 2))
    await until(() => landed() === 2 * block, 'the second block lands')
    feed.socket.destroy()
    await link.next('edgeLost')
    expect(await refusalOf(node.address, sent)).toBe('ERR_FR_AUTH')
    expect(landed()).toBe(2 * block)
    expect(link.isClosed).toBe(false)
  })

  it('are refused after a restart, also where the same transfer runs again', async () => {
    const first = await world.node({ key: keyText })
    const origin = peer(first.address)
    await taking(origin)
    const [feed, sent] = await recorded(first.address, origin.transfer)
    feed.record({ length: block }, Buffer.alloc(block, 1))
    await until(() => first.status().transfers[0]?.landedBytes === block, 'a block lands')
    const { address: listen, dataDir } = first
    await first.close()

    const node = await world.node({ key: keyText, listen, dataDir })
    await taking(peer(node.address, origin.transfer))
    expect(await refusalOf(node.address, sent)).toBe('ERR_FR_AUTH')
    expect(node.status().transfers[0]?.landedBytes).toBe(0)
    // The place is free for the holder of the secret.
    await recorded(node.address, origin.transfer)
  })

  it('are refused once the place is in no plan, or the transfer over', async () => {
    const node = await world.node({ key: keyText })
    const origin = peer(node.address)
    const link = await taking(origin)
    const [feed, sent] = await recorded(node.address, origin.transfer)
    feed.record({ length: block }, Buffer.alloc(block, 1))
    await until(() => node.status().transfers[0]?.landedBytes === block, 'the first block lands')
    link.say(origin.plan([{ ...mateOf('cd'.repeat(16)), number: 2 }]))
    const thief = peer(node.address, origin.transfer)
    // It waits for the plan.
    await thief.data(2)
    expect(await refusalOf(node.address, sent)).toBe('ERR_FR_PROTOCOL')
    await expect(thief.data(1)).rejects.toMatchObject({ code: 'ERR_FR_PROTOCOL' })
    origin.leave()
    await until(() => node.status().transfers.length === 0, 'the transfer is over')
    await expect(thief.data(1)).rejects.toMatchObject({ code: 'ERR_FR_TIMEOUT' })
  })
})
