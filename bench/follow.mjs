/**
 * What is still written: how far nodes are behind appends of 64 KiB to a file that is followed, and
 * how fast a stream is on every node, beside a push of the same bytes as a file. Fresh nodes and
 * new bytes each round, in turns.
 */
import { randomBytes } from 'node:crypto'
import { appendFileSync, closeSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { median, spread } from './report.mjs'
import { judge } from './wanted.mjs'
import { KIB, listOf, MIB, push, sameContent, Workspace } from './workspace.mjs'

const wanted = {
  lag: { 'p99 ms': 100 },
  goodput: { 'of a file': { atLeast: 0.97 } },
}
const appendBytes = 64 * KIB
const pauseMs = 50

export const follow = {
  name: 'follow',
  about: 'lag of appends to a followed file; a stream beside the same bytes as a file',
  async run({ quick, rounds = quick ? 1 : 5, nodes: count = quick ? 1 : 3, say }) {
    const bytes = quick ? 8 * MIB : 512 * MIB
    const appends = quick ? 20 : 200
    const workspace = new Workspace(bytes * (2 * count + 3) + 2 ** 20)
    const trials = []
    try {
      for (let round = 0; round < rounds; round++) {
        trials.push(await trial(workspace, count, bytes, appends))
        say(`round ${round + 1} of ${rounds}`)
      }
    } finally {
      await workspace.close()
    }
    return followReport({ count, bytes, appends, trials })
  },
}

async function trial(workspace, count, bytes, appends) {
  const nodes = await workspace.startNodes(count)
  const idle = await appended(workspace, nodes, appends)
  const source = workspace.path('whole')
  // Two contents, so that no node has one of them already.
  writeFileSync(source, randomBytes(bytes))
  const args = ['--digest', 'blake3']
  const whole = checked(nodes, source, 'whole', await push(workspace, { source, nodes, args }))
  writeFileSync(source, randomBytes(bytes))
  const input = openSync(source)
  const stream = await push(workspace, {
    ...{ source: '-', nodes, args: ['--follow', '--as', 'stream'] },
    stdio: [input, 'pipe', 'pipe'],
  }).finally(() => closeSync(input))
  checked(nodes, source, 'stream', stream)
  await workspace.stop(nodes)
  for (const path of [source, ...nodes.map(({ data }) => data)]) rmSync(path, { recursive: true })
  return { idle, whole: whole.result, stream: stream.result }
}

function checked(nodes, source, as, done) {
  const good = nodes.every((node) => sameContent(source, `${node.data}/${as}`))
  if (done.exitStatus !== 0 || !good) throw new Error(`fr push: ${done.errorText}`)
  return done
}

/** The figures of the node that was furthest behind. */
async function appended(workspace, nodes, appends) {
  const source = workspace.path('log')
  writeFileSync(source, '-')
  const env = { XDG_CACHE_HOME: workspace.path('cache') }
  const args = ['push', '--follow', source, '--to', listOf(nodes), '--json']
  const running = workspace.fr(args, { env })
  await running.until('every node follows', () => {
    const last = running.lines.findLast(({ event }) => event === 'progress')
    return last?.nodes.every(({ verifiedBytes }) => verifiedBytes > 0) === true
  })
  for (let i = 0; i < appends; i++) {
    appendFileSync(source, randomBytes(appendBytes))
    await sleep(pauseMs)
  }
  running.child.kill('SIGTERM')
  const exitStatus = await running.ended
  const result = running.lines.at(-1)
  checked(nodes, source, 'log', { exitStatus, result, errorText: running.stderr })
  rmSync(source)
  const worst = (key) => Math.max(...result.nodes.map(({ lag }) => lag[key]))
  return { p50Ms: worst('p50Ms'), p99Ms: worst('p99Ms'), p99Bytes: worst('p99Bytes') }
}

export function followReport({ count, bytes, appends, trials }) {
  const size = `${bytes / MIB} MiB`
  const ms = (key) => trials.map(({ idle }) => idle[key])
  const ratio = median(trials.map(({ whole, stream }) => whole.seconds / stream.seconds))
  const lag = judge('appends', wanted.lag, { 'p99 ms': median(ms('p99Ms')) }, 0)
  const goodput = judge(`${size} as a stream`, wanted.goodput, { 'of a file': ratio })
  const seconds = (key) => spread(trials.map((each) => each[key].seconds))
  const appending = `${appends} appends of ${appendBytes / KIB} KiB, every ${pauseMs} ms`
  return {
    suite: 'follow',
    title: `to ${count} nodes, ${trials.length} rounds`,
    columns: [
      { key: 'name', title: 'what' },
      { key: 'seconds', title: 'seconds' },
      { key: 'p50', title: 'lag p50 ms' },
      { key: 'p99', title: 'lag p99 ms' },
      { key: 'ratio', title: 'of a file' },
      { key: 'wanted', title: 'wanted' },
      { key: 'met', title: 'met' },
    ],
    rows: [
      { name: appending, p50: spread(ms('p50Ms')), p99: spread(ms('p99Ms')), ...lag },
      { name: `${size}, a file`, seconds: seconds('whole'), ratio: 1 },
      { name: `${size}, a stream`, seconds: seconds('stream'), ratio, ...goodput },
    ],
    isJudged: true,
    missed: [...lag.missed, ...goodput.missed],
    notes: [],
  }
}
