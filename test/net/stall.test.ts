/**
 * What the origin has dealt carries its uplink over a blocked main thread: the engine sends on from
 * what is listed, so a stall of 50 ms leaves no gap on the wire. The wire is watched by a process
 * of its own at the bridge's end of the origin's cable.
 *
 * In the first half second the wire is not full without any stall either: feeds between the nodes
 * start slowly, and what they hold fills the first windows. Nothing is claimed of that here.
 *
 * A stall counts where the machine itself ran: where a hypervisor took its processors away shortly
 * before or meanwhile, nodes could not report and the wire says nothing of the origin. Pushes go on
 * until enough stalls count, and the median of these must hold: one gap may have other causes (a
 * node that was late), the same gap in most has one. On a machine that is hardly there the test is
 * skipped.
 */
import { rmSync } from 'node:fs'
import path from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { MIB, sameContent } from '../../bench/workspace.mjs'
import { type Sample, watchWire } from './wire.js'
import { startWorld, type World } from './world.js'

const count = 4
const mbit = 200
const bytes = 64 * MIB
const stallMs = 50
const periodMs = 250
/** Share of the line's capacity to be used; counters see 0.96 of a full line. */
const shareWanted = 0.8
const stallsWanted = 10
const pushesMax = 8
/** Milliseconds before a stall that matter too: windows are 150 ms deep. */
const beforeMs = 300
/** With more stolen ticks than this the machine did not run. */
const stolenMax = 0
/** Bytes that the line carries in 0.15 s. */
const windowBytes = (mbit * 1e6 * 0.15) / 8
const closers: (() => Promise<void> | void)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

/** A line of the pushing process. */
interface Line {
  readonly event: 'stall' | 'result'
  readonly begin: number
  readonly end: number
}

/** Sent bytes and stolen ticks at a time between two samples. */
function at(samples: readonly Sample[], moment: number): { bytes: number; stolen: number } {
  const next = samples.findIndex((sample) => sample.at >= moment)
  const after = samples[next]
  const before = samples[next - 1]
  if (after === undefined || before === undefined) throw new Error('not sampled')
  const share = (moment - before.at) / (after.at - before.at)
  return { bytes: before.bytes + share * (after.bytes - before.bytes), stolen: after.stolen }
}

/** One push; resolves to the share of the line's capacity sent in each counted stall. */
async function push(
  { lab, keyFile, nodes }: World,
  source: string,
  name: string,
): Promise<{ shares: number[]; copies: number }> {
  const wire = await watchWire(lab, 'from', 0)
  closers.push(() => wire.end())
  const { samples } = wire
  const addresses = nodes.map((node) => node.address)
  const program = path.resolve('test/net/stalling-push.mjs')
  const args = [program, source, keyFile, name, `${periodMs}`, `${stallMs}`, ...addresses]
  const pushing = lab.start(0, process.execPath, args)
  await pushing.succeed('the push')
  await wire.end()
  const lines = pushing.lines as unknown as Line[]

  const nodesWanted = addresses.map((node) => ({ node, status: 'complete' }))
  expect(lines.at(-1)).toMatchObject({ event: 'result', nodes: nodesWanted })
  for (const node of nodes) {
    const copy = path.join(node.data, name)
    expect(sameContent(source, copy)).toBe(true)
    rmSync(copy)
  }
  const [first, last] = [samples[0]?.bytes ?? 0, samples.at(-1)?.bytes ?? 0]
  // With less than a window left there is nothing more to list, and a stall has no effect.
  const done = samples.find((sample) => sample.bytes > last - windowBytes)?.at ?? 0
  const shares: number[] = []
  for (const { event, begin, end } of lines) {
    if (event !== 'stall' || end >= done) continue
    expect(end - begin).toBeGreaterThan(stallMs * 0.99e6)
    const [earlier, from, to] = [begin - beforeMs * 1e6, begin, end].map((each) =>
      at(samples, each),
    )
    if (earlier === undefined || from === undefined || to === undefined) continue
    if (to.stolen - earlier.stolen > stolenMax) continue
    shares.push(((to.bytes - from.bytes) * 8) / ((mbit * 1e6 * (end - begin)) / 1e9))
  }
  return { shares, copies: (last - first) / bytes }
}

test(`a main thread blocked for ${stallMs} ms leaves no gap on the wire`, async ({ skip }) => {
  const world = await startWorld(count, mbit, bytes * (count + 1))
  closers.push(() => world.close())
  const source = await world.workspace.randomFile('source', bytes)
  const all: number[] = []
  for (let round = 1; round <= pushesMax && all.length < stallsWanted; round++) {
    const { shares, copies } = await push(world, source, `file-${round}`)
    all.push(...shares)
    // Busy with one copy, not with units that nobody can relay (windows of 10 ms: over three).
    if (shares.length >= stallsWanted / 2) expect(copies).toBeLessThan(1.5)
  }
  const text = `of the line: ${all.map((share) => share.toFixed(2)).join(' ')}`
  if (all.length < stallsWanted) skip(`only ${all.length} stalls count: ${text}`)
  const median = all.sort((a, b) => a - b)[Math.floor(all.length / 2)]
  expect(median, text).toBeGreaterThanOrEqual(shareWanted)
})
