/**
 * Pushes of different files to one name: the first has it at every node; a later one is refused at
 * every node, or waits.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type PushOptions, type PushResult, push } from '../../src/api/index.js'
import { MIB } from '../../src/base/limits.js'
import { offerDoor } from './door.js'
import { usualEngines } from './engines.js'
import { passAll, proxy } from './proxy.js'
import { expectCopies, keepsNothing, until, useWorld } from './push-support.js'

describe.each(usualEngines)('a name, engine %s', (engine) => {
  const world = useWorld(engine)

  function pushed(path: string, to: string[], over: Partial<PushOptions> = {}) {
    return push(path, { to, engine, as: 'same', logger: world.logger, ...over })
  }

  const reasons = ({ nodes }: PushResult) => nodes.map(({ reason }) => reason)

  it('that two pushes want at one moment goes to one of them at all nodes', async () => {
    const nodes = await world.nodes(4)
    const to = nodes.map((node) => node.address)
    let won = 0
    let before: Buffer | undefined
    for (let round = 0; round < 20; round++) {
      const files = [
        world.file(`a${round}`, 90_001 + round),
        world.file(`b${round}`, 70_002 + round),
      ]
      const orders = round % 2 === 0 ? [to, [...to].reverse()] : [to, to]
      const results = await Promise.all(
        files.map(({ path }, i) => pushed(path, orders[i] as string[]).result),
      )
      const winners = results.flatMap((result, i) => {
        const complete = result.nodes.filter(({ status }) => status === 'complete').length
        const isRefused = result.nodes.every(({ code }) => code === 'ERR_FR_BUSY')
        expect(complete === 4 || (complete === 0 && isRefused)).toBe(true)
        return complete === 4 ? [files[i]?.content as Buffer] : []
      })
      won += winners.length
      const held = nodes.map(({ dataDir }) => readFileSync(join(dataDir, 'same')))
      for (const content of held) expect(content.equals(held[0] as Buffer)).toBe(true)
      // If the machine stands still for seconds, both may be refused.
      const possible = winners.length > 0 ? winners : [before as Buffer]
      expect(possible.some((content) => content.equals(held[0] as Buffer))).toBe(true)
      before = held[0]
    }
    expect(won).toBeGreaterThan(0)
    for (const { dataDir } of nodes) await keepsNothing(dataDir)
  })

  /**
   * Two pushes to the same two nodes. Each has the name at one and waits for the other; `enter`
   * lets them in there, in the order of their ids.
   */
  async function crossing(over: Partial<PushOptions> = {}) {
    const nodes = await world.nodes(2)
    const files = [world.file('a', 900_001), world.file('b', 700_002)]
    const pushes = await Promise.all(
      files.map(async ({ path }, i) => {
        const to = nodes.map(({ address }) => address)
        const door = await offerDoor(to[i] as string)
        world.defer(() => door.close())
        to[i] = door.address
        return { transfer: pushed(path, to, over), door }
      }),
    )
    await until(
      () =>
        nodes.every((node) => node.status().transfers.length === 1) &&
        pushes.every(({ door }) => door.isHolding()),
      'each push has one node and is at the door of the other',
    )
    pushes.sort((a, b) => (a.transfer.id < b.transfer.id ? -1 : 1))
    const held = () => nodes.map(({ dataDir }) => readFileSync(join(dataDir, 'same')))
    return { pushes, files, held }
  }

  it('that two pushes have at one node each is left to the lower id by the other', async () => {
    const { pushes, files, held } = await crossing()
    const [lower, higher] = pushes as [(typeof pushes)[0], (typeof pushes)[0]]
    higher.door.open()
    const refused = await higher.transfer.result
    const text = new RegExp(`^ERR_FR_BUSY: transfer ${lower.transfer.id} from .* is writing`)
    for (const reason of reasons(refused)) expect(reason).toMatch(text)
    expect(refused.nodes.map(({ status }) => status)).toEqual(['refused', 'refused'])
    lower.door.open()
    expect(reasons(await lower.transfer.result)).toEqual([null, null])
    const [first, second] = held() as [Buffer, Buffer]
    expect(first.equals(second)).toBe(true)
    expect(files.some(({ content }) => content.equals(first))).toBe(true)
  })

  it('that two pushes that wait have at one node each is had by one after the other', async () => {
    const { pushes, files, held } = await crossing({ wait: true })
    for (const { door } of pushes) door.open()
    for (const { transfer } of pushes) expect(reasons(await transfer.result)).toEqual([null, null])
    const [first, second] = held() as [Buffer, Buffer]
    expect(first.equals(second)).toBe(true)
    expect(files.some(({ content }) => content.equals(first))).toBe(true)
  })

  it('of a push that runs is refused at every node, with who has it', async () => {
    const nodes = await world.nodes(4)
    const [first, ...others] = nodes.map((node) => node.address) as [string, ...string[]]
    const file = world.file('first', 16 * MIB)
    const door = await world.holding(first, MIB)
    const running = pushed(file.path, [door.address, ...others])
    await until(() => door.isHolding(), 'the first push is held up')
    const free = await world.node()
    const later = world.file('later', 90_000)
    const refused = await pushed(later.path, [first, free.address]).result
    const text = new RegExp(
      `^ERR_FR_BUSY: transfer ${running.id} from 127\\.0\\.0\\.1:\\d+ is writing`,
    )
    for (const reason of reasons(refused)) expect(reason).toMatch(text)
    expect(refused.nodes.map(({ attempts }) => attempts)).toEqual([1, 1])
    expect(() => readFileSync(join(free.dataDir, 'same'))).toThrow('ENOENT')
    door.open()
    expect(reasons(await running.result)).toEqual([null, null, null, null])
    expectCopies(file.content, 'same', nodes)
  })

  /** A running push that can connect to its second node only once it is let in. */
  async function withLate(late: string) {
    const first = await world.node()
    const door = await world.holding(first.address, MIB)
    const shut = await proxy('127.0.0.1:1', () => {})
    shut.close()
    const file = world.file('first', 16 * MIB)
    const running = pushed(file.path, [door.address, shut.address], { retries: 0 })
    await until(() => door.isHolding(), 'the push runs without the late node')
    const letIn = async () => {
      const passed = await proxy(late, passAll, Number(shut.address.split(':')[1]))
      world.defer(passed.close)
    }
    return { first, door, file, running, letIn }
  }

  it('at a node that is reached late is left by a push that has not begun', async () => {
    const late = await world.node()
    const { first, door, file, running, letIn } = await withLate(late.address)
    const asked = await offerDoor(first.address)
    world.defer(() => asked.close())
    const later = pushed(world.file('later', 90_000).path, [late.address, asked.address])
    await until(() => asked.isHolding() && late.status().transfers.length === 1, 'it has the name')
    await letIn()
    await until(() => late.status().transfers.length === 2, 'the push that runs asks for it, too')
    asked.open()
    for (const reason of reasons(await later.result))
      expect(reason).toMatch(`ERR_FR_BUSY: transfer ${running.id} from `)
    door.open()
    expect(reasons(await running.result)).toEqual([null, null])
    expectCopies(file.content, 'same', [first, late])
  })

  it('at a node that is reached late stays with the push that runs there', async () => {
    const late = await world.node()
    const { door, running, letIn } = await withLate(late.address)
    const lateDoor = await world.holding(late.address, MIB)
    const other = pushed(world.file('other', 15 * MIB).path, [lateDoor.address])
    await until(() => lateDoor.isHolding(), 'another push runs at the late node')
    const refused = new Promise((resolve) => running.on('node', resolve))
    await letIn()
    await refused
    door.open()
    lateDoor.open()
    const text = new RegExp(
      `^ERR_FR_BUSY: transfer ${other.id} from 127\\.0\\.0\\.1:\\d+ is writing this name; ` +
        'this push was under way at other nodes already',
    )
    expect(reasons(await running.result)).toEqual([null, expect.stringMatching(text)])
    expect(reasons(await other.result)).toEqual([null])
  })

  it('is had by a push that waits once the one before has ended', async () => {
    const nodes = await world.nodes(4)
    const [first, ...others] = nodes.map((node) => node.address) as [string, ...string[]]
    const door = await world.holding(first, MIB)
    const running = pushed(world.file('first', 16 * MIB).path, [door.address, ...others])
    await until(() => door.isHolding(), 'the first push is held up')
    const file = world.file('later', 3 * MIB + 1)
    const waiting = pushed(file.path, [first, ...others], { wait: true })
    const heard: string[] = []
    waiting.on('node', ({ status }) => heard.push(status))
    const said = () => world.log.filter(({ event }) => event === 'waiting')
    await until(() => said().length > 0, 'the second push waits')
    expect(said()[0]?.fields['text']).toMatch(`waiting: transfer ${running.id} from `)
    expect(heard).toEqual([])
    door.open()
    expect(reasons(await running.result)).toEqual([null, null, null, null])
    expect(reasons(await waiting.result)).toEqual([null, null, null, null])
    expect(heard).toEqual(['complete', 'complete', 'complete', 'complete'])
    expectCopies(file.content, 'same', nodes)
  })

  it('is waited for as long as the push may take, then refused', async () => {
    const node = await world.node()
    const door = await world.holding(node.address, MIB)
    const running = pushed(world.file('first', 16 * MIB).path, [door.address])
    await until(() => door.isHolding(), 'the first push is held up')
    const { path } = world.file('later', 1_000)
    const waiting = await pushed(path, [node.address], { wait: true, timeoutMs: 300 }).result
    // On a busy machine the time may end while the node is still being asked.
    expect(waiting.nodes[0]?.code).toMatch(/^ERR_FR_(BUSY|TIMEOUT)$/)
    door.open()
    expect(reasons(await running.result)).toEqual([null])
  })

  it('is waited for until the caller ends it', async () => {
    const node = await world.node()
    const door = await world.holding(node.address, MIB)
    const running = pushed(world.file('first', 16 * MIB).path, [door.address])
    await until(() => door.isHolding(), 'the first push is held up')
    const stop = new AbortController()
    const { path } = world.file('later', 1_000)
    const waiting = pushed(path, [node.address], { wait: true, signal: stop.signal })
    await until(() => world.log.some(({ event }) => event === 'waiting'), 'the second push waits')
    const reason = new Error('enough')
    stop.abort(reason)
    await expect(waiting.result).rejects.toBe(reason)
    door.open()
    expect(reasons(await running.result)).toEqual([null])
  })
})
