/** Mates dial each other with the plan: real nodes, each behind a door that watches. */
import { describe, expect, it } from 'vitest'
import { push } from '../../src/api/index.js'
import { MIB } from '../../src/base/limits.js'
import { originNumber } from '../../src/control/messages/types.js'
import { callerOf } from './door.js'
import { usualEngines } from './engines.js'
import { proxy, type Through } from './proxy.js'
import { expectCopies, until, useWorld } from './push-support.js'

interface Watched extends Through {
  /** Senders of the data connections that have arrived. */
  readonly senders: number[]
  /** Lets the origin in. Until then no node is ready, and there is no plan. */
  open(): void
}

/** Bytes of the answers on a data connection: a challenge, and `go`. */
const answerBytes = 52 + 12 + 16

/** `breaks`: the first data connection of every mate, as soon as it has received `go`. */
async function watched(address: string, breaks: boolean): Promise<Watched> {
  const senders: number[] = []
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
      if (breaks && sender !== undefined && sender !== originNumber) {
        let seenBytes = 0
        const isFirst = senders.filter((other) => other === sender).length === 1
        to.on('data', (answer: Buffer) => {
          seenBytes += answer.length
          if (isFirst && seenBytes >= answerBytes) from.resetAndDestroy()
        })
      }
      if (sender !== originNumber || isOpen) return to.write(start)
      passHeld = () => to.write(start)
    })
  })
  return {
    ...through,
    senders,
    open: () => {
      isOpen = true
      passHeld()
    },
  }
}

describe.each(usualEngines)('mates on the %s engine', (engine) => {
  const world = useWorld(engine)

  /** A push to three nodes that have no plan: the origin's data connections are held up. */
  async function begun(breaks: boolean) {
    const nodes = await world.nodes(3)
    const doors = await Promise.all(nodes.map(({ address }) => watched(address, breaks)))
    for (const door of doors) world.defer(() => door.close())
    const { path, content } = world.file('greeted.bin', 8 * MIB + 1)
    let isPlanned = false
    const transfer = push(path, { to: doors.map(({ address }) => address), engine })
    transfer.on('plan', () => {
      isPlanned = true
    })
    await until(
      () => doors.every(({ senders }) => senders.includes(originNumber)),
      'the origin has dialled every node',
    )
    const end = async () => {
      const result = await transfer.result
      expect(result.nodes.map(({ reason }) => reason)).toEqual([null, null, null])
      expectCopies(content, 'greeted.bin', nodes)
      return result
    }
    return { doors, end, isPlanned: () => isPlanned }
  }

  it('dial each other with the plan, and once', async () => {
    const { doors, end, isPlanned } = await begun(false)
    expect(isPlanned()).toBe(false)
    expect(doors.map(({ senders }) => senders)).toEqual(doors.map(() => [originNumber]))
    for (const door of doors) door.open()
    await end()
    expect(doors.map(({ senders }) => [...senders].sort())).toEqual([
      [1, 2, originNumber],
      [0, 2, originNumber],
      [0, 1, originNumber],
    ])
    expect(world.log.filter(({ event }) => event === 'relay-closed')).toEqual([])
  })

  it('whose first connections all break have the file nevertheless', async () => {
    const { doors, end } = await begun(true)
    for (const door of doors) door.open()
    await end()
    const mates = doors.map(
      ({ senders }) => new Set(senders.filter((sender) => sender !== originNumber)).size,
    )
    expect(mates).toEqual([2, 2, 2])
  })
})
