/**
 * What the origin has dealt carries its uplink over a blocked main thread: the engine sends on from
 * what is listed, so a stall of 50 ms leaves no gap on the wire. The wire is watched by a process
 * of its own at the bridge's end of the origin's cable.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, expect, test } from 'vitest'
import { Lab } from '../../bench/lab/lab.mjs'
import { MIB, type NodeProcess, sameContent, Workspace } from '../../bench/workspace.mjs'

const count = 8
const mbit = 200
const bytes = 64 * MIB
const stallMs = 50
const periodMs = 250
const closers: (() => Promise<void> | void)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

interface Span {
  readonly begin: number
  readonly end: number
}

type Sample = readonly [nanoseconds: number, bytes: number]

/** The counter at a moment between two samples. */
function counterAt(samples: readonly Sample[], moment: number): number {
  const next = samples.findIndex(([at]) => at >= moment)
  const after = samples[next]
  const before = samples[next - 1]
  if (after === undefined || before === undefined) throw new Error('not sampled')
  const share = (moment - before[0]) / (after[0] - before[0])
  return before[1] + share * (after[1] - before[1])
}

/** Follows what leaves the origin until the process is ended. */
async function watch(lab: Lab): Promise<{ samples: Sample[]; sampler: ChildProcess }> {
  const device = '/sys/class/net/p0/statistics/rx_bytes'
  const args = [path.resolve('test/net/sampler.mjs'), device, '2']
  const bridge = lab.namespaces[0] ?? ''
  const sampler = spawn('ip', ['netns', 'exec', bridge, process.execPath, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  closers.push(() => void sampler.kill('SIGKILL'))
  const samples: Sample[] = []
  const lines = createInterface({ input: sampler.stdout as NodeJS.ReadableStream })
  lines.on('line', (line) => {
    const [at = Number.NaN, value = Number.NaN] = line.split(' ').map(Number)
    samples.push([at, value])
  })
  await once(lines, 'line')
  return { samples, sampler }
}

async function startNodes(lab: Lab, workspace: Workspace, keyFile: string): Promise<NodeProcess[]> {
  return Promise.all(
    Array.from({ length: count }, (_, at) =>
      workspace.startNode({
        listen: `${lab.address(at + 1)}:7400`,
        name: `node-${at + 1}`,
        keyFile,
        prefix: lab.prefix(at + 1),
      }),
    ),
  )
}

test(`a main thread blocked for ${stallMs} ms leaves no gap on the origin's link`, async () => {
  const speeds = { upMbit: mbit, downMbit: mbit }
  const lab = Lab.create({ hosts: Array.from({ length: count + 1 }, () => speeds) })
  closers.push(() => lab.close())
  const workspace = new Workspace(bytes * (count + 1))
  closers.push(() => workspace.close())
  const keyFile = workspace.path('key')
  writeFileSync(keyFile, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600 })
  const source = workspace.randomFile('source', bytes)
  const nodes = await startNodes(lab, workspace, keyFile)
  const { samples, sampler } = await watch(lab)

  const program = path.resolve('test/net/stalling-push.mjs')
  const addresses = nodes.map((node) => node.address)
  const args = [program, source, keyFile, String(periodMs), String(stallMs), ...addresses]
  const pushing = lab.spawn(0, process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines: { event: string; seconds: number; begin: number; end: number }[] = []
  createInterface({ input: pushing.stdout as NodeJS.ReadableStream }).on('line', (line) =>
    lines.push(JSON.parse(line)),
  )
  await once(pushing, 'close')
  sampler.kill('SIGKILL')
  await once(sampler, 'close')

  expect(lines.at(-1)).toMatchObject({
    event: 'result',
    nodes: addresses.map((node) => ({ node, status: 'complete' })),
  })
  for (const node of nodes) expect(sameContent(source, path.join(node.data, 'source'))).toBe(true)
  // The origin is done when it has sent its copy; what is blocked after that blocks nothing.
  const last = samples.at(-1)?.[1] ?? 0
  const done = samples.find(([, value]) => value > last - bytes * 0.02)?.[0] ?? 0
  const stalls = lines.filter((line): line is (typeof lines)[number] & Span => {
    return line.event === 'stall' && line.end < done
  })
  expect(stalls.length).toBeGreaterThanOrEqual(5)
  const shares = stalls.map(({ begin, end }) => {
    const sent = counterAt(samples, end) - counterAt(samples, begin)
    return (sent * 8) / ((mbit * 1e6 * (end - begin)) / 1e9)
  })
  console.log(
    'SHARES',
    stalls
      .map(
        (each, i) =>
          `${((each.begin - (samples[0]?.[0] ?? 0)) / 1e6).toFixed(0)}:${shares[i]?.toFixed(2)}`,
      )
      .join(' '),
    'done',
    ((done - (samples[0]?.[0] ?? 0)) / 1e6).toFixed(0),
    'secs',
    lines.at(-1)?.seconds,
  )
  expect(Math.min(...stalls.map(({ begin, end }) => end - begin))).toBeGreaterThan(stallMs * 0.99e6)
  expect(Math.min(...shares)).toBeGreaterThan(0.8)
})
