/**
 * What a push costs that goes on from what an earlier one left, and one of a file that all nodes
 * hold, beside the whole push of the same size, and what a client gets from one of them: fresh
 * processes and new files each round, in turns. The sender is killed once nine tenths have landed.
 */
import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { median, spread } from './report.mjs'
import { judge } from './wanted.mjs'
import { GIB, listOf, MIB, push, sameContent, Workspace } from './workspace.mjs'

const wanted = {
  resumed: { 'of whole': 0.2, 'moved over 10 %': 64 * MIB },
  there: { seconds: 0.3 },
}
/** A change to a file shows in its time stamps after so long: before that nothing is kept of it. */
const settleMs = 2_100

export const resume = {
  name: 'resume',
  about: 'a push that goes on at nine tenths, one of a file that is there, a get: beside a push',
  async run({ quick, rounds = quick ? 1 : 3, nodes: count = 2, say }) {
    const bytes = quick ? 16 * MIB : 2 * GIB
    const workspace = new Workspace(bytes * (count + 2) + 64 * MIB)
    const trials = []
    try {
      for (let round = 0; round < rounds; round++) {
        trials.push(await trial(workspace, `${round}`, count, bytes))
        say(`round ${round + 1} of ${rounds}`)
      }
    } finally {
      await workspace.close()
    }
    return resumeReport(count, bytes, trials)
  },
}

async function trial(workspace, round, count, bytes) {
  const source = await workspace.randomFile(`source-${round}`, bytes)
  await sleep(settleMs)
  const start = (what) =>
    Promise.all(
      Array.from({ length: count }, (_, at) =>
        workspace.startNode({ name: `${what}-${round}-${at}` }),
      ),
    )
  const env = { XDG_CACHE_HOME: workspace.makeDirectory(`cache-${round}`) }
  const pushed = async (nodes) => {
    const done = await push(workspace, { source, nodes, env })
    const good = nodes.every((node) => sameContent(source, `${node.data}/source-${round}`))
    if (done.exitStatus !== 0 || !good) throw new Error(`fr push: ${done.errorText}`)
    return done
  }
  const first = await start('whole')
  const whole = await pushed(first)
  const there = await pushed(first)
  const got = await gotten(workspace, source, `source-${round}`, first[0])
  await drop(workspace, first)
  rmSync(env.XDG_CACHE_HOME, { recursive: true })
  const second = await start('resumed')
  const landed = await killedAtNineTenths(workspace, source, second, env)
  const resumed = await pushed(second)
  await drop(workspace, second)
  rmSync(source)
  return { whole, there, got, resumed, landed: landed / (bytes * count) }
}

async function drop(workspace, nodes) {
  await workspace.stop(nodes)
  for (const { data } of nodes) rmSync(data, { recursive: true })
}

/** All of it from one node, in the same form as a push. */
async function gotten(workspace, source, name, node) {
  const output = `${source}.got`
  const running = workspace.fr(['get', name, '--from', node.address, '-o', output, '--json'])
  const exitStatus = await running.ended
  const last = running.lines.at(-1)
  if (exitStatus !== 0 || !sameContent(source, output)) throw new Error(`fr get: ${running.stderr}`)
  rmSync(output)
  return { result: { seconds: last.seconds, nodes: [{ receivedBytes: last.bytes }] } }
}

/** Bytes that had landed by the last report before the sender was killed. */
async function killedAtNineTenths(workspace, source, nodes, env) {
  const running = workspace.fr(['push', source, '--to', listOf(nodes), '--json'], { env })
  let landed = 0
  running.onLine((line) => {
    if (line.event !== 'progress') return
    landed = line.landedBytes
    if (landed >= 0.9 * line.totalBytes) running.child.kill('SIGKILL')
  })
  await running.ended
  return landed
}

/** What moved to the nodes beyond what had not landed, each node's share of it. */
function movedOver(resumed, bytes, count) {
  const received = resumed.result.nodes.reduce((sum, node) => sum + node.receivedBytes, 0)
  return received / count - 0.1 * bytes
}

export function resumeReport(count, bytes, trials) {
  const seconds = (key) => trials.map((each) => each[key].result.seconds)
  const ratios = trials.map((each) => each.resumed.result.seconds / each.whole.result.seconds)
  const over = median(trials.map((each) => movedOver(each.resumed, bytes, count)))
  const size = `${bytes / MIB} MiB to ${count} nodes`
  const resumed = judge(`${size}, resumed at nine tenths`, wanted.resumed, {
    'of whole': median(ratios),
    'moved over 10 %': over,
  })
  const there = judge(`${size}, already there`, wanted.there, { seconds: median(seconds('there')) })
  const moved = (key) =>
    median(
      trials.map((each) =>
        each[key].result.nodes.reduce((sum, node) => sum + node.receivedBytes, 0),
      ),
    ) /
    (bytes * count)
  const row = (name, key, verdict = {}) => ({
    name,
    seconds: spread(seconds(key)),
    moved: moved(key),
    ratio: median(seconds(key)) / median(seconds('whole')),
    ...verdict,
  })
  return {
    suite: 'resume',
    title: `${size}, ${trials.length} rounds`,
    columns: [
      { key: 'name', title: 'push' },
      { key: 'seconds', title: 'seconds' },
      { key: 'moved', title: 'moved of all' },
      { key: 'ratio', title: 'of whole' },
      { key: 'wanted', title: 'wanted' },
      { key: 'met', title: 'met' },
    ],
    rows: [
      row('whole', 'whole'),
      row('resumed', 'resumed', resumed),
      row('already there', 'there', there),
      row('a get, from one node', 'got'),
    ],
    isJudged: true,
    missed: [...resumed.missed, ...there.missed],
    notes: [
      `${spread(trials.map(({ landed }) => landed))} of all had landed when the sender was killed`,
    ],
  }
}
