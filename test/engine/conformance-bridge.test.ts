/** Two connections that an engine joins into one, in both engines. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { engines } from './engines.js'
import { fileBytes, MIB, type Party, poll, useWorld } from './world.js'

describe.each(engines)('$kind engine: a bridge', (under) => {
  const world = useWorld(under)

  /** The outer ends of two connections whose inner ends are joined. */
  async function joined(party: Party): Promise<[Socket, Socket]> {
    const [near, a] = await world.pair()
    const [b, far] = await world.pair()
    party.engine.bridge(a, b)
    for (const socket of [near, far]) socket.allowHalfOpen = true
    return [near, far]
  }

  async function received(socket: Socket): Promise<Buffer> {
    const chunks: Buffer[] = []
    socket.on('data', (chunk: Buffer) => chunks.push(chunk)).resume()
    await once(socket, 'end')
    return Buffer.concat(chunks)
  }

  it('carries bytes and ends both ways, none of them through JavaScript if native', async () => {
    const party = await world.party()
    const [near, far] = await joined(party)
    const [there, back] = [fileBytes(3 * MIB + 77), fileBytes(MIB + 1)]
    const atFar = received(far)
    near.end(there)
    expect((await atFar).equals(there)).toBe(true)
    // The answer comes behind the end of the question.
    expect(party.engine.counters()).toMatchObject({ openBridges: 1 })
    const atNear = received(near)
    far.end(back)
    expect((await atNear).equals(back)).toBe(true)
    await poll('the bridge is over', () => party.engine.counters().openBridges === 0)
    const { bridgedBytes, payloadBytesInJavaScript: seen } = party.engine.counters()
    expect(bridgedBytes).toBe(there.length + back.length)
    expect(seen).toBe(under.kind === 'native' ? 0 : bridgedBytes)
  })

  it('ends where one side breaks, and where the engine does', async () => {
    const party = await world.party()
    const [near, far] = await joined(party)
    const other = await joined(party)
    const isOver = Promise.all([near, ...other].map((socket) => once(socket, 'close')))
    for (const socket of [near, ...other]) socket.on('error', () => {}).resume()
    far.resetAndDestroy()
    await poll('one is left', () => party.engine.counters().openBridges === 1)
    for (const socket of other) socket.allowHalfOpen = false
    near.allowHalfOpen = false
    await party.engine.shutdown()
    near.destroy()
    await isOver
  })

  it('refuses a connection that is gone, and leaves the other to its owner', async () => {
    const party = await world.party()
    const [a, b] = await world.pair()
    a.destroy()
    expect(() => party.engine.bridge(a, b)).toThrow(
      expect.objectContaining({ code: 'ERR_FR_NODE_LOST' }),
    )
    expect(b.destroyed).toBe(false)
  })
})
