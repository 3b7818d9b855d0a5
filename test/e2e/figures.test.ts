/** The figures that a push reports, compared with bytes counted on the wire and on the disk. */
import { closeSync, ftruncateSync, openSync, readFileSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  type NodeOutcome,
  type Plan,
  type Progress,
  type PushOptions,
  type PushResult,
  push,
} from '../../src/api/index.js'
import { MIB } from '../../src/base/limits.js'
import { closingLines } from '../../src/cli/render/closing.js'
import { painter } from '../../src/cli/render/text.js'
import { faultView } from '../../src/control/members/faults.js'
import { originNumber } from '../../src/control/messages/types.js'
import { type CountingDoor, countingDoor } from './counting.js'
import { usualEngines } from './engines.js'
import { expectCopies, until, useWorld, World } from './push-support.js'

interface Seen {
  readonly result: PushResult
  /** Names of all events in order. */
  readonly events: readonly string[]
  readonly last: Progress
}

/** Runs a push and records its events. */
async function seen(path: string, options: PushOptions): Promise<Seen> {
  const transfer = push(path, options)
  const events: string[] = []
  let last: Progress | undefined
  for (const event of ['plan', 'progress', 'node', 'result'] as const)
    transfer.on(event, () => void events.push(event))
  transfer.on('progress', (progress) => {
    last = progress
  })
  return { result: await transfer.result, events, last: last as Progress }
}

/** Fields defined in docs/figures.md, by section. */
function documented(): Map<string, string[]> {
  const text = readFileSync(new URL('../../docs/figures.md', import.meta.url), 'utf8')
  return new Map(
    text.split('\n## ').map((section) => {
      const rows = section.split('\n').filter((line) => line.startsWith('| `'))
      const names = rows.flatMap((row) => (row.split('|')[1] ?? '').match(/[a-zA-Z]+/g) ?? [])
      return [section.slice(0, section.indexOf('\n')), names.sort()]
    }),
  )
}

const record = { causes: [], failures: 0, isFailed: false, retryMs: null }
const sum = (parts: readonly number[]) => parts.reduce((total, part) => total + part, 0)

it('docs/figures.md defines every field there is, and no other', async () => {
  const world = new World('native')
  try {
    const [one, two] = await world.nodes(2)
    const gateway = await world.node({ relayOnly: true })
    const door = await world.holding(two.address, 4 * MIB)
    const transfer = push(world.file('data.bin', 16 * MIB).path, {
      to: [one.address, door.address],
      ...{ strategy: 'classic', shape: 'group', relays: [gateway.address] },
    })
    const plans: Plan[] = []
    const outcomes: NodeOutcome[] = []
    const progress: Progress[] = []
    transfer.on('plan', (plan) => plans.push(plan))
    transfer.on('node', (outcome) => outcomes.push(outcome))
    transfer.on('progress', (now) => progress.push(now))
    const relays = () => one?.status().transfers[0]?.relays ?? []
    await until(() => door.isHolding() && relays().length > 0, 'a relay is at work')
    const status = one.status()
    door.open()
    const result = await transfer.result
    const defined = documented()
    const keys = (value: unknown, more: string[] = []) =>
      [...more, ...Object.keys(value as object)].sort()
    expect(keys(plans[0])).toEqual(defined.get('plan'))
    expect(keys(progress[0])).toEqual(defined.get('progress'))
    expect(keys(progress[0]?.nodes[0])).toEqual(defined.get('progress.nodes'))
    expect(keys(outcomes[0], ['event'])).toEqual(defined.get('node'))
    expect(keys(result)).toEqual(defined.get('result'))
    expect(keys(result.nodes[0], ['event'])).toEqual(defined.get('node'))
    expect(keys(result.shares[0])).toEqual(defined.get('result.shares'))
    expect(keys(result.relays[0])).toEqual(defined.get('result.relays'))
    expect(keys(faultView(['node', ''], record))).toEqual(defined.get('faults'))
    await until(() => one.status().ended.length > 0, 'the transfer is over')
    expect(keys(one.status().ended[0])).toEqual(defined.get('status.ended'))
    expect(keys(status)).toEqual(defined.get('status'))
    expect(keys(status.transfers[0])).toEqual(defined.get('status.transfers'))
    expect(keys(status.transfers[0]?.relays[0])).toEqual(defined.get('status.transfers.relays'))
  } finally {
    await world.dispose()
  }
})

describe.each(usualEngines)('figures on the %s engine', (engine) => {
  const world = useWorld(engine)

  async function doors(count: number, refusesMates = false) {
    const nodes = await world.nodes(count)
    const made = await Promise.all(
      nodes.map((node) => countingDoor(world, node.address, { refusesMates })),
    )
    return { nodes, doors: made, to: made.map(({ address }) => address) }
  }

  /** For every push: each figure of a receiver equals what passed its door. */
  function checkReceived({ result }: Seen, through: readonly CountingDoor[]): void {
    const fromOrigin = sum(through.map((door) => door.payloadFrom(originNumber)))
    expect(result.originBytesSent).toBe(fromOrigin)
    const received = sum(result.nodes.map((node) => node.receivedBytes))
    for (const [index, door] of through.entries()) {
      const outcome = result.nodes[index]
      expect(outcome?.node).toBe(door.address)
      expect(outcome?.receivedBytes).toBe(door.payloadBytes)
      const relayed = sum(through.map((other) => other.payloadFrom(index)))
      expect(result.shares[index]).toMatchObject({
        node: door.address,
        relayedBytes: relayed,
        relayedShare: relayed / received,
      })
    }
    expect(result.originShare).toBeCloseTo(fromOrigin / received, 12)
  }

  it('of an equal split: a relay brings its share to each mate, the origin one copy', async () => {
    const { nodes, doors: through, to } = await doors(3)
    const { path } = world.file('data.bin', 6 * MIB)
    const run = await seen(path, { to, engine, strategy: 'classic', shape: 'group' })
    checkReceived(run, through)
    const { result, last, events } = run
    expect(result).toMatchObject({ bytes: 6 * MIB, dataBytes: 6 * MIB, resentBytes: 0 })
    expect(result.originBytesSent).toBe(6 * MIB)
    expect(result.originShare).toBeCloseTo(1 / 3, 12)
    for (const share of result.shares)
      expect(share).toMatchObject({ dealtBytes: 2 * MIB, relayedBytes: 4 * MIB })
    for (const [index, { dataDir }] of nodes.entries()) {
      expect(result.nodes[index]).toMatchObject({
        bytes: statSync(join(dataDir, 'data.bin')).size,
        duplicateBytes: 0,
        fromOriginBytes: 2 * MIB,
        fromMatesBytes: 4 * MIB,
        holeBytes: 0,
        repairedBytes: 0,
      })
    }
    expect(events.slice(-2)).toEqual(['progress', 'result'])
    expect(last).toMatchObject({
      bytes: 6 * MIB,
      landedBytes: 18 * MIB,
      totalBytes: 18 * MIB,
      share: 1,
      originBytesSent: result.originBytesSent,
    })
    for (const [index, node] of last.nodes.entries()) {
      const { dealtBytes, relayedBytes, relayedShare } = result.shares[index] ?? {}
      expect(node).toMatchObject({
        state: 'complete',
        landedBytes: 6 * MIB,
        verifiedBytes: 6 * MIB,
      })
      expect(node).toMatchObject({ dealtBytes, relayedBytes, relayedShare })
    }
  })

  it('of edges that are all refused: nothing was relayed, whatever was dealt', async () => {
    const { nodes, doors: through, to } = await doors(3, true)
    const { path, content } = world.file('data.bin', 6 * MIB)
    const plan = { strategy: 'classic', shape: 'group' } as const
    const { result, last } = await seen(path, { to, engine, ...plan })
    expectCopies(content, 'data.bin', nodes)
    expect(result.originShare).toBe(1)
    expect(through.map((door) => [...door.from.keys()])).toEqual([
      [originNumber],
      [originNumber],
      [originNumber],
    ])
    expect(result.originBytesSent).toBeGreaterThanOrEqual(18 * MIB)
    // Bytes asked for twice may still be on their way when a node has everything.
    for (const [index, door] of through.entries())
      expect(door.payloadBytes).toBeGreaterThanOrEqual(result.nodes[index]?.receivedBytes ?? 0)
    for (const share of result.shares)
      expect(share).toMatchObject({ dealtBytes: 2 * MIB, relayedBytes: 0, relayedShare: 0 })
    // What was listed again: everything that mates should have sent.
    expect(result.resentBytes).toBeGreaterThanOrEqual(12 * MIB)
    expect(last.nodes.map((node) => node.relayedBytes)).toEqual([0, 0, 0])
    const rows = closingLines(result, [], 200, painter(false)).slice(1, 4)
    for (const row of rows) expect(row).toMatch(/ complete +[\d.]+ +0% /)
  })

  it('of a push that adapts: what is new at a node is the file, the rest are repeats', async () => {
    const { doors: through, to } = await doors(4)
    const { path } = world.file('data.bin', 24 * MIB)
    const { result } = await seen(path, { to, engine, strategy: 'adaptive', shape: 'group' })
    for (const [index, door] of through.entries()) {
      const { receivedBytes = 0, duplicateBytes = 0 } = result.nodes[index] ?? {}
      expect(receivedBytes - duplicateBytes).toBe(24 * MIB)
      // Repeated bytes may still arrive after a node's last frame.
      expect(door.payloadBytes).toBeGreaterThanOrEqual(receivedBytes)
      const relayed = sum(through.map((other) => other.payloadFrom(index)))
      expect(result.shares[index]?.relayedBytes).toBeLessThanOrEqual(relayed)
    }
    const dealt = sum(result.shares.map((share) => share.dealtBytes))
    expect(dealt + result.directBytes).toBe(24 * MIB)
    const shares = sum(result.shares.map((share) => share.relayedShare ?? 0))
    expect(shares + (result.originShare ?? 0)).toBeCloseTo(1, 12)
  })

  it('of nodes that fail: they count neither in what landed nor in what is to land', async () => {
    const { to } = await doors(2)
    const full = await world.node({ minFreeBytes: 2 ** 52 })
    const { path } = world.file('data.bin', 2 * MIB)
    const all = [...to, full.address, '127.0.0.1:1']
    const { result, last } = await seen(path, { to: all, engine, connectMs: 4_000 })
    expect(result.nodes.map((node) => node.code)).toEqual([
      null,
      null,
      'ERR_FR_NO_SPACE',
      'ERR_FR_UNREACHABLE',
    ])
    expect(last).toMatchObject({ landedBytes: 4 * MIB, totalBytes: 4 * MIB, share: 1 })
    expect(last.nodes.map((node) => node.state)).toEqual([
      'complete',
      'complete',
      'refused',
      'failed',
    ])
    expect(result.nodes.slice(2)).toMatchObject([{ receivedBytes: 0 }, { receivedBytes: 0 }])
  })

  it('of a push to nobody, and of an empty file', async () => {
    const { path } = world.file('data.bin', 100)
    const none = await seen(path, { to: ['127.0.0.1:1'], engine, connectMs: 50 })
    expect(none.last).toMatchObject({ landedBytes: 0, totalBytes: 0, share: 0 })
    expect(none.result).toMatchObject({ originShare: null, originBytesSent: 0, efficiency: null })
    expect(none.result.shares).toMatchObject([{ relayedBytes: 0, relayedShare: null }])
    const { to } = await doors(2)
    const empty = await seen(world.file('empty', 0).path, { to, engine })
    expect(empty.last).toMatchObject({ landedBytes: 0, totalBytes: 0, share: 1 })
    expect(empty.result).toMatchObject({ originShare: null, originBytesSent: 0 })
  })

  it('of a bound that is wrong: no efficiency, and a warning', async () => {
    const { to } = await doors(2)
    const { path } = world.file('data.bin', MIB)
    // At a byte per second it would take twelve days.
    const { result } = await seen(path, { to, engine, uplinkBytesPerSecond: 1 })
    expect(result).toMatchObject({ boundSeconds: MIB, efficiency: null })
    expect(result.warnings).toEqual([
      expect.stringMatching(/^the bound from configured link speeds is wrong: 1048576\.000 s, /),
    ])
  })

  it('of a file with holes: what was announced is apart from what was sent', async () => {
    const { nodes, doors: through, to } = await doors(1)
    const path = join(world.dir, 'sparse.bin')
    const source = openSync(path, 'w')
    ftruncateSync(source, 32 * MIB)
    writeSync(source, world.file('chunk', MIB).content, 0, MIB, 8 * MIB)
    closeSync(source)
    const { result } = await seen(path, { to, engine })
    const [outcome] = result.nodes
    const holes = through[0]?.from.get(originNumber)?.holeBytes
    expect(outcome).toMatchObject({ bytes: 32 * MIB, holeBytes: holes, duplicateBytes: 0 })
    expect(outcome?.receivedBytes).toBe(32 * MIB - (holes ?? 0))
    expect(result.originBytesSent).toBe(outcome?.receivedBytes)
    if (engine === 'native') expect(holes).toBe(31 * MIB)
    expect(statSync(join(nodes[0]?.dataDir as string, 'sparse.bin')).size).toBe(32 * MIB)
  })

  it('of a node: it says of itself what has passed its door and is on its disk', async () => {
    const node = await world.node()
    const door = await world.holding(node.address, 4 * MIB)
    const counting = await countingDoor(world, door.address)
    const { path } = world.file('data.bin', 16 * MIB)
    const transfer = push(path, { to: [counting.address], engine })
    await until(door.isHolding, 'the push is held up')
    const receivedBytes = () => node.status().transfers[0]?.receivedBytes ?? 0
    let before = -1
    await until(() => {
      const isStill = receivedBytes() === before && before > 0
      before = receivedBytes()
      return isStill
    }, 'nothing moves any more')
    const [status] = node.status().transfers
    expect(status).toMatchObject({ bytes: 16 * MIB, holeBytes: 0, duplicateBytes: 0, sentBytes: 0 })
    expect(status?.receivedBytes).toBeLessThanOrEqual(counting.payloadBytes)
    await until(() => {
      const now = node.status().transfers[0]
      return now !== undefined && now.landedBytes === now.receivedBytes
    }, 'all that was received has landed')
    door.open()
    await transfer.result
  })
})
