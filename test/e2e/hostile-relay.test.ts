/**
 * A relay that claims to forward and does not: all others still get the file, and the result names
 * that relay. Nodes whose feeds are slow, refused or broken are not named.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { type FrNode, push } from '../../src/api/index.js'
import { MIB } from '../../src/base/limits.js'
import { usualEngines } from './engines.js'
import { keyText } from './hostile.js'
import { LyingRelay } from './hostile-relay.js'
import { gate, until, useWorld } from './push-support.js'

const fileBytes = 64 * MIB + 1

describe.each(usualEngines)('relays on the %s engine', (engine) => {
  const world = useWorld(engine)
  let nodes: (FrNode & { dataDir: string })[]

  async function honest(count: number): Promise<string[]> {
    const made = Array.from({ length: count }, () => world.node({ key: keyText }))
    nodes = await Promise.all(made)
    return nodes.map(({ address }) => address)
  }

  function expectCopies(content: Buffer): void {
    const copies = nodes.map(({ dataDir }) => readFileSync(join(dataDir, 'data.bin')))
    expect(copies.map((copy) => copy.equals(content))).toEqual(nodes.map(() => true))
  }

  async function pushWithLiar(
    strategy: 'adaptive' | 'classic',
    shape: 'group' | 'unicast',
    isNamed: boolean,
  ) {
    const liar = new LyingRelay()
    world.defer(() => liar.close())
    const address = await liar.listening()
    const doors = (await honest(3)).map((node) => world.holding(node, 2 * MIB))
    const [first, ...rest] = await Promise.all(doors)
    const { path, content } = world.file('data.bin', fileBytes)
    const to = [first?.address ?? '', address, ...rest.map((door) => door.address)]
    const { logger } = world
    const { result } = push(path, { to, engine, key: keyText, strategy, shape, logger })
    const ran = liar.run()
    // The others are held up until it has been dealt enough to be recognised.
    await until(() => liar.receivedBytes >= 16 * MIB, 'it has received its part', 100_000)
    const opened = await Promise.all(doors)
    // They receive slowly until it is named, because complete nodes send no reports.
    while (isNamed && !world.log.some(({ event }) => event === 'false-relay')) {
      for (const door of opened) door.sip()
      await delay(100)
    }
    for (const door of opened) door.open()
    const [{ nodes: outcomes, warnings }] = await Promise.all([result, ran])
    expect(outcomes.map(({ node, reason }) => [node, reason])).toEqual(to.map((n) => [n, null]))
    expectCopies(content)
    // Its claimed rates are false too, and so are bounds made from them; ignore those warnings.
    return { address, warnings: warnings.filter((text) => text.includes('says that')) }
  }

  it('one that only says it forwards is named', async () => {
    const { address, warnings } = await pushWithLiar('adaptive', 'group', true)
    expect(warnings).toEqual([
      `${address} says that it passes bytes on to its mates, and does not: no mate has received ` +
        'any of them; it is given nothing more to relay',
    ])
  })

  // Whom a coordinator names does not depend on the engine that carries the bytes.
  const once = it.runIf(engine === 'native')

  once.each([
    ['classic', 'group'],
    ['adaptive', 'unicast'],
  ] as const)(
    'nobody is named where no word of a relay counts: %s, %s',
    async (strategy, shape) => {
      expect((await pushWithLiar(strategy, shape, false)).warnings).toEqual([])
    },
  )

  once.each(['slow', 'broken'])(
    'an honest one whose feeds are all %s is not named',
    async (how) => {
      const addresses = await honest(3)
      const gates = await Promise.all(
        addresses.map((address) => gate(world, address, 0, 64 * 1024)),
      )
      const { path, content } = world.file('data.bin', fileBytes)
      const to = gates.map(({ address }) => address)
      const transfer = push(path, { to, engine, key: keyText })
      await until(() => gates.slice(1).every((each) => each.isHolding()), 'its feeds are held back')
      if (how === 'broken') for (const each of gates) each.cut()
      const { nodes: outcomes, warnings } = await transfer.result
      expect(outcomes.map(({ reason }) => reason)).toEqual(to.map(() => null))
      expectCopies(content)
      expect(warnings.filter((text) => text.includes('says that'))).toEqual([])
    },
  )
})
