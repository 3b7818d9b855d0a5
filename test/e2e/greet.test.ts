/** Mates dial each other before the plan: real nodes, each behind a door that watches. */
import type { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { push } from '../../src/api/index.js'
import { MIB } from '../../src/base/limits.js'
import { originNumber } from '../../src/control/messages/types.js'
import { callerOf } from './door.js'
import { proxy, type Through } from './proxy.js'
import { type EngineKind, expectCopies, until, useWorld } from './push-support.js'

const engines: EngineKind[] = ['native', 'portable']

interface Watched extends Through {
  /** Senders of the data connections that have arrived. */
  readonly senders: number[]
  /** Mates whose connection has received `go`. */
  readonly greeted: number[]
  /** Lets the origin in. Until then no node is ready, and there is no plan. */
  open(): void
  /** Breaks the data connections of mates. */
  cut(): void
}

/** Bytes of the answers on a data connection: a challenge, and `go`. */
const answerBytes = 52 + 4

async function watched(address: string): Promise<Watched> {
  const senders: number[] = []
  const mates: Socket[] = []
  const greeted: number[] = []
  let isOpen = false
  let passHeld: () => void = () => {}
  const through = await proxy(address, (from, to) => {
    let hello: Buffer | undefined = Buffer.alloc(0)
    from.on('data', (chunk: Buffer) => {
      if (hello === undefined) return to.write(chunk)
      hello = Buffer.concat([hello, chunk])
      const caller = callerOf(hello)
      if (caller === null) return
      const start = hello
      hello = undefined
      const sender = caller.channel === 'data' ? caller.from : undefined
      if (sender !== undefined) senders.push(sender)
      if (sender !== undefined && sender >= 0) {
        mates.push(from)
        let seen = Buffer.alloc(0)
        to.on('data', (answer: Buffer) => {
          seen = Buffer.concat([seen, answer])
          if (seen.length === answerBytes && !greeted.includes(sender)) greeted.push(sender)
        })
      }
      if (sender !== originNumber || isOpen) return to.write(start)
      passHeld = () => to.write(start)
    })
  })
  return {
    ...through,
    senders,
    greeted,
    open: () => {
      isOpen = true
      passHeld()
    },
    cut: () => {
      for (const socket of mates.splice(0)) socket.resetAndDestroy()
    },
  }
}

describe.each(engines)('mates on the %s engine', (engine) => {
  const world = useWorld(engine)

  /** A push to three nodes that have greeted each other and have no plan. */
  async function begun() {
    const nodes = await world.nodes(3)
    const doors = await Promise.all(nodes.map(({ address }) => watched(address)))
    for (const door of doors) world.defer(() => door.close())
    const { path, content } = world.file('greeted.bin', 8 * MIB + 1)
    let isPlanned = false
    const transfer = push(path, { to: doors.map(({ address }) => address), engine })
    transfer.on('plan', () => {
      isPlanned = true
    })
    await until(
      () => doors.every((door, i) => [0, 1, 2].every((k) => k === i || door.greeted.includes(k))),
      'every mate is connected to every other',
    )
    const end = async () => {
      const result = await transfer.result
      expect(result.nodes.map(({ reason }) => reason)).toEqual([null, null, null])
      expectCopies(content, 'greeted.bin', nodes)
      return result
    }
    return { doors, end, isPlanned: () => isPlanned }
  }

  it('have dialled before the plan, and do not dial again', async () => {
    const { doors, end, isPlanned } = await begun()
    expect(isPlanned()).toBe(false)
    for (const door of doors) door.open()
    await end()
    expect(doors.map(({ senders }) => [...senders].sort())).toEqual([
      [1, 2, originNumber],
      [0, 2, originNumber],
      [0, 1, originNumber],
    ])
    expect(world.log.filter(({ event }) => event === 'relay-closed')).toEqual([])
  })

  it('whose early connections all break bring the file nevertheless', async () => {
    const { doors, end } = await begun()
    for (const door of doors) door.cut()
    for (const door of doors) door.open()
    await end()
  })
})
