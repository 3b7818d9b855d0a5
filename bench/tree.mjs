/**
 * What a tree of small files costs beside what else there is: tar through a chain of the nodes,
 * rsync to each of them at once, and a swarm of aria2. Fresh processes and directories each round,
 * in turns; the first round is not counted. `fr push` is timed from the start of its process to its
 * end, as the others; the swarm from the start of those that fetch.
 */

import { randomFillSync } from 'node:crypto'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { missing } from './programs.mjs'
import { median, spread } from './report.mjs'
import { fetchedBySwarm } from './swarm.mjs'
import { judge } from './wanted.mjs'
import { KIB, MIB, push, Workspace } from './workspace.mjs'

/** Parts of what the best of the others takes. */
const wanted = { 'of the best other': 1, 'CPU of tar': 1 }
const filesOfDirectory = 100

export const tree = {
  name: 'tree',
  about: 'small files to 4 nodes, again, and with an edit: beside tar, rsync and aria2',
  async run({ quick, rounds = quick ? 1 : 5, nodes: count = 4, say }) {
    const files = quick ? 500 : 10_000
    const workspace = new Workspace(files * 33 * KIB * (count + 2) * 2 + 64 * MIB)
    const trials = []
    try {
      const { source, bytes } = makeTree(workspace, files)
      for (let round = quick ? 1 : 0; round <= rounds; round++) {
        const trial = await trialOf(workspace, { source, count, round })
        if (round > 0) trials.push(trial)
        say(`round ${round} of ${rounds}`)
      }
      return treeReport({ files, bytes, count }, trials)
    } finally {
      await workspace.close()
    }
  },
}

/** Files of 1 to 64 KiB, a hundred in each directory; sizes and content differ in each run. */
function makeTree(workspace, files) {
  const source = workspace.makeDirectory('source')
  const piece = randomFillSync(Buffer.allocUnsafe(64 * KIB))
  let bytes = 0
  for (let i = 0; i < files; i++) {
    const directory = path.join(source, `d${Math.floor(i / filesOfDirectory)}`)
    if (i % filesOfDirectory === 0) mkdirSync(directory)
    // Sizes are spread evenly, and the same in each run.
    const size = KIB + ((i * 7919) % (63 * KIB))
    piece.writeUInt32LE(i)
    writeFileSync(path.join(directory, `f${i}`), piece.subarray(0, size))
    bytes += size
  }
  return { source, bytes }
}

async function trialOf(workspace, { source, count, round }) {
  const env = { XDG_CACHE_HOME: workspace.makeDirectory(`cache-${round}`) }
  const nodes = await workspace.startNodes(count)
  const pushed = async (what) => {
    const done = await push(workspace, { source, nodes, env })
    if (done.exitStatus !== 0) throw new Error(`fr push, ${what}: ${done.errorText}`)
    for (const { data } of nodes) await requireSame(workspace, source, path.join(data, 'source'))
    return { seconds: done.wallSeconds, cpuSeconds: done.cpuSeconds, moved: movedOf(done) }
  }
  const whole = await pushed('all of it')
  const again = await pushed('again')
  writeFileSync(path.join(source, 'd0', 'f0'), `round ${round}`)
  const edited = await pushed('with an edit')
  await workspace.stop(nodes)
  for (const { data } of nodes) rmSync(data, { recursive: true })
  const tar = await others(workspace, source, count, tarChain)
  const rsync = missing('rsync') ? undefined : await others(workspace, source, count, rsyncEach)
  const aria2 = missing('aria2c') ? undefined : await swarm(workspace, source, count)
  return { whole, again, edited, tar, ...(rsync && { rsync }), ...(aria2 && { aria2 }) }
}

const movedOf = ({ result }) => result.tree.movedBytes

export async function requireSame(workspace, source, copy) {
  const { status, stdout, stderr } = await workspace.collect('diff', ['-rq', source, copy])
  if (status !== 0)
    throw new Error(`${copy} differs: ${stdout.slice(0, 500)}${stderr.slice(0, 500)}`)
}

async function others(workspace, source, count, command) {
  const directories = Array.from({ length: count }, (_, i) => workspace.makeDirectory(`other-${i}`))
  const { status, stderr, ...took } = await workspace.collect('sh', [
    ...['-ec', command(directories), 'sh', source, workspace.directory],
  ])
  if (status !== 0) throw new Error(`${command.name}: ${stderr.slice(0, 500)}`)
  for (const directory of directories) {
    await requireSame(workspace, source, directory)
    rmSync(directory, { recursive: true })
  }
  return { seconds: took.seconds, cpuSeconds: took.cpuSeconds, moved: null }
}

async function swarm(workspace, source, count) {
  const directories = Array.from({ length: count }, (_, i) => workspace.makeDirectory(`other-${i}`))
  const took = await fetchedBySwarm(workspace, source, directories)
  for (const directory of directories) {
    await requireSame(workspace, source, path.join(directory, path.basename(source)))
    rmSync(directory, { recursive: true })
  }
  return { ...took, moved: null }
}

/** Each node unpacks what it passes on; pipes take the place of connections. */
function tarChain(directories) {
  const last = directories.at(-1)
  const firsts = directories.slice(0, -1)
  const pipes = firsts.map((_, i) => `"$2/pipe-${i}"`)
  return [
    ...(pipes.length > 0 ? [`mkfifo ${pipes.join(' ')}`] : []),
    ...firsts.map((directory, i) => `tar xf - -C '${directory}' < ${pipes[i]} &`),
    `tar cf - -C "$1" . ${pipes.map((pipe) => `| tee ${pipe} `).join('')}| tar xf - -C '${last}'`,
    'wait',
    ...(pipes.length > 0 ? [`rm ${pipes.join(' ')}`] : []),
  ].join('\n')
}

function rsyncEach(directories) {
  return [...directories.map((directory) => `rsync -a "$1/" '${directory}/' &`), 'wait'].join('\n')
}

export function treeReport({ files, bytes, count }, trials) {
  const seconds = (key) => trials.map((trial) => trial[key].seconds)
  const cpu = (key) => trials.map((trial) => trial[key].cpuSeconds)
  const has = (key) => trials.every((trial) => trial[key] !== undefined)
  const rivals = ['tar', 'rsync', 'aria2'].filter(has)
  const best = Math.min(...rivals.map((key) => median(seconds(key))))
  const title = `${files} files, ${(bytes / MIB).toFixed(0)} MiB, to ${count} nodes`
  const judged = judge(title, wanted, {
    'of the best other': median(seconds('whole')) / best,
    'CPU of tar': median(cpu('whole')) / median(cpu('tar')),
  })
  const row = (name, key, verdict = {}) => ({
    name,
    seconds: spread(seconds(key)),
    cpu: spread(cpu(key)),
    moved: trials[0][key].moved === null ? '-' : median(trials.map((trial) => trial[key].moved)),
    ...verdict,
  })
  return {
    suite: 'tree',
    title: `${title}, ${trials.length} rounds`,
    columns: [
      { key: 'name', title: 'program' },
      { key: 'seconds', title: 'seconds' },
      { key: 'cpu', title: 'CPU seconds' },
      { key: 'moved', title: 'bytes of files moved' },
      { key: 'wanted', title: 'wanted' },
      { key: 'met', title: 'met' },
    ],
    rows: [
      row('fr push', 'whole', judged),
      row('fr push, again', 'again'),
      row('fr push, one file edited', 'edited'),
      row('tar through a chain of pipes', 'tar'),
      ...(has('rsync') ? [row('rsync to each at once', 'rsync')] : []),
      ...(has('aria2') ? [row('aria2, a BitTorrent swarm', 'aria2')] : []),
    ],
    isJudged: true,
    missed: judged.missed,
    notes: ['rsync', 'aria2']
      .filter((each) => !has(each))
      .map((each) => `${each} is not installed`),
  }
}
