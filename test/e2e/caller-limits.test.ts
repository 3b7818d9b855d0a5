/** Timeout and minimum rate: nodes that are too slow fail with an error code, and only they. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { push } from '../../src/api/index.js'
import { KIB, MIB } from '../../src/base/limits.js'
import { World as CliWorld } from './cli-world.js'
import { callerOf, holdingDoor } from './door.js'
import { proxy } from './proxy.js'
import { expectCopies, useWorld } from './push-support.js'

/** Passes data connections a few bytes at a time and everything else at once. */
async function tricklingDoor(address: string) {
  return proxy(address, (from, to) => {
    let start: Buffer | undefined = Buffer.alloc(0)
    from.on('data', (chunk: Buffer) => {
      if (start === undefined) {
        to.write(chunk)
        return
      }
      start = Buffer.concat([start, chunk])
      const caller = callerOf(start)
      if (caller === null) return
      to.write(start)
      start = undefined
      if (caller.channel !== 'data') return
      from.removeAllListeners('data').pause()
      const dripping = setInterval(() => {
        const drop = from.read(Math.min(100, from.readableLength))
        if (drop !== null) to.write(drop)
      }, 100)
      from.on('close', () => clearInterval(dripping))
    })
  })
}

describe('--min-rate', () => {
  const engine = 'native'
  const world = useWorld(engine)

  it('a node whose link trickles fails by name and is not tried again', async () => {
    const [good, slow] = await world.nodes(2)
    const door = await tricklingDoor(slow.address)
    world.defer(() => door.close())
    const { path, content } = world.file('data.bin', 32 * MIB)
    const to = [good.address, door.address]
    const result = await push(path, { to, engine, minRateBytesPerSecond: 64 * KIB }).result
    expect(result.nodes).toMatchObject([
      { status: 'complete', reason: null },
      { status: 'failed', code: 'ERR_FR_TIMEOUT', attempts: 1 },
    ])
    expect(result.nodes[1]?.reason).toMatch(
      /^ERR_FR_TIMEOUT: landed .*B\/s over [\d.]+ s; at least 64 KiB\/s are wanted$/,
    )
    expectCopies(content, 'data.bin', [good])
  })
})

describe('--timeout', () => {
  let world: CliWorld
  beforeEach(() => {
    world = new CliWorld()
  })
  afterEach(() => world.close())

  it('ends a push to a node that stops taking bytes and one that nobody serves', async () => {
    const [node] = await world.nodes(1)
    const door = await holdingDoor(node.address, 64 * KIB)
    world.file('big.bin', 32 * MIB)
    const to = `${door.address},127.0.0.1:1`
    const run = world.fr(['push', 'big.bin', '--json', '--timeout', '2s', '--to', to])
    const status = await run.ended
    door.close()
    expect(run.stderr).toContain('the time-out of 2 s')
    expect(status).toBe(1)
    const late = /^ERR_FR_TIMEOUT: not complete when the time-out of 2 s ended/
    expect(run.lines.at(-1)).toMatchObject({
      event: 'result',
      nodes: [
        { status: 'failed', attempts: 1, reason: expect.stringMatching(late) },
        { status: 'failed', attempts: 1, reason: expect.stringMatching(late) },
      ],
    })
  })
})
