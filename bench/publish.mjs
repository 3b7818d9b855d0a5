/**
 * Contents by criteria: `fr publish` of a file at one node, which those that match pull from each
 * other, beside `fr push` of as many bytes to the same nodes. Each node sends at a limited rate, so
 * that links are what both wait for.
 *
 * A publication is timed from when `fr publish` has said that it is announced until the last node
 * has the file under its name; the bytes that leave the first node are counted in that time.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { median, spread } from './report.mjs'
import { until } from './running.mjs'
import { judge } from './wanted.mjs'
import { MIB, push, sameContent, Workspace } from './workspace.mjs'

const wanted = { 'of the file': 1.3, 'of a push': 1.5 }
const rate = '80Mbit'
const withinMs = 300_000

export const publish = {
  name: 'publish',
  about: 'contents by criteria, pulled by nodes from each other, beside a push to them',
  async run({ quick, rounds = quick ? 1 : 3, nodes: count = quick ? 3 : 16, say }) {
    const bytes = (quick ? 8 : 64) * MIB
    const trials = []
    for (let round = 0; round < rounds; round++) {
      const workspace = new Workspace(bytes * (2 * count + 3) + MIB)
      try {
        trials.push(await trial(workspace, count, bytes))
      } finally {
        await workspace.close()
      }
      say(`round ${round + 1} of ${rounds}`)
    }
    return publishReport({ count, bytes, trials })
  },
}

async function trial(workspace, count, bytes) {
  const quiet = ['--log-level', 'error']
  const root = await workspace.startNode({ name: 'root', args: quiet })
  const args = [...quiet, '--attr', 'tier=edge', '--parent', root.address, '--limit-up', rate]
  const first = await workspace.startNode({ name: 'first', args })
  const others = await workspace.startNodes(count, { args })
  const source = workspace.path('source')
  writeFileSync(source, randomBytes(bytes))
  const pushing = ['--limit-up', rate, '--as', 'pushed']
  const pushed = await push(workspace, { source, nodes: others, args: pushing })
  if (pushed.exitStatus !== 0) throw new Error(`fr push: ${pushed.errorText}`)
  await until(async () => (await qualifiedAt(workspace, root)) === count + 1, 'all are linked')
  // Other bytes, so that no node has them already.
  writeFileSync(source, randomBytes(bytes))
  const sentBefore = await sentBytes(workspace, first)
  const via = ['--via', first.address, '--as', 'published']
  const publishing = workspace.fr(['publish', source, '--where', 'tier=edge', ...via, '--json'])
  await publishing.succeed('fr publish')
  const startMs = performance.now()
  const copies = others.map(({ data }) => path.join(data, 'published'))
  await until(() => copies.every(existsSync), 'all have it', withinMs, 20)
  const seconds = (performance.now() - startMs) / 1_000
  const sent = (await sentBytes(workspace, first)) - sentBefore
  if (!copies.every((copy) => sameContent(source, copy))) throw new Error('a copy differs')
  rmSync(source)
  return { seconds, pushSeconds: pushed.result.seconds, sent: sent / bytes }
}

async function qualifiedAt(workspace, { address }) {
  const asking = workspace.fr(['where', 'tier=edge', '--via', address, '--json'])
  await asking.ended
  return asking.lines.at(-1)?.count ?? 0
}

async function sentBytes(workspace, { address }) {
  const asking = workspace.fr(['status', address, '--json'])
  await asking.succeed('fr status')
  return asking.lines[0].counters.sentBytes
}

export function publishReport({ count, bytes, trials }) {
  const of = (read) => trials.map(read)
  const figures = {
    'of the file': median(of(({ sent }) => sent)),
    'of a push': median(of(({ seconds, pushSeconds }) => seconds / pushSeconds)),
  }
  const size = `${bytes / MIB} MiB`
  const judged = judge(`${size} to ${count} nodes`, wanted, figures)
  return {
    suite: 'publish',
    title: `${size} to ${count} nodes of ${rate}, ${trials.length} rounds`,
    columns: [
      { key: 'name', title: 'what' },
      { key: 'seconds', title: 'seconds' },
      { key: 'ofPush', title: 'of a push' },
      { key: 'sent', title: 'out of the first, of the file' },
      { key: 'wanted', title: 'wanted' },
      { key: 'met', title: 'met' },
    ],
    rows: [
      { name: 'fr push', seconds: spread(of(({ pushSeconds }) => pushSeconds)), ofPush: 1 },
      {
        name: 'fr publish',
        seconds: spread(of(({ seconds }) => seconds)),
        ofPush: figures['of a push'],
        sent: spread(of(({ sent }) => sent)),
        ...judged,
      },
    ],
    isJudged: true,
    missed: judged.missed,
    notes: [],
  }
}
