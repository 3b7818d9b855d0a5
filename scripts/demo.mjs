/**
 * `npm run demo [-- --size 1GiB --nodes 4]`: shows the product on one machine.
 *
 * A file of random bytes, N real `fr node` processes on loopback, one real `fr push` process. Then,
 * with the clock stopped, the SHA-256 of the source and of every copy. The delivered rate is
 * compared with bench/limit, a C program that does only the data movement on this machine; without
 * a C compiler that line is empty. The ratio is not called efficiency: that word means a push
 * against the bound of its links.
 *
 * With `--page` the nodes have no key, the first has an HTTP door, and the push is so slow that it
 * can be looked at on the page of that door, until somebody stops the demo.
 *
 * It always removes its files and ends its processes. Exit status: 0 every copy is right, 1 not, 2
 * usage, 129, 130 or 143 when stopped by a signal.
 */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { roomAt } from '../bench/machine.mjs'
import {
  limitProgram,
  listOf,
  MIB,
  main,
  Obstacle,
  push,
  sha256,
  Workspace,
} from '../bench/workspace.mjs'
import { beginPush, startScene } from './page-scene.mjs'

const usage = 'usage: npm run demo [-- --size 1GiB --nodes 4 --page]'
const say = (text) => void process.stderr.write(`${text}\n`)

/** The parsed options; null when they ask for help. */
function readOptions({ parseCount, parseSize }) {
  const { values } = parseArgs({
    options: {
      size: { type: 'string' },
      nodes: { type: 'string', default: '4' },
      page: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return null
  const { size = values.page ? '256MiB' : '1GiB', page } = values
  return { bytes: parseSize(size), count: parseCount(values.nodes, 1, 64), page }
}

/** Chooses a directory and file size: memory if it has room, else a disk. */
function choosePlace(bytes, nodes, formatBytes) {
  // Bytes for source and copies, and for what a node keeps free.
  const needed = (size) => size * (nodes + 1) + 512 * MIB
  const places = [
    { where: 'memory', at: '/dev/shm' },
    { where: 'disk', at: tmpdir() },
  ].map((place) => ({ ...place, room: 0.8 * roomAt(place.at) }))
  const roomy = places.find(({ room }) => room >= needed(bytes))
  if (roomy !== undefined) return { ...roomy, bytes }
  const [best] = places.sort((a, b) => b.room - a.room)
  const fitting = Math.floor((best.room - needed(0)) / (nodes + 1) / MIB) * MIB
  const wish = `${formatBytes(bytes)} to ${nodes} nodes needs ${formatBytes(needed(bytes))}`
  const spare = `${best.at} has ${formatBytes(best.room)} to spare`
  if (fitting < MIB) throw new Obstacle(`${wish}; ${spare}`)
  say(`${wish}; ${spare}: scaled down to ${formatBytes(fitting)}`)
  return { ...best, bytes: fitting }
}

/** Rate of this machine without protocol, hashing and fsync; null when it cannot be measured. */
async function measureLimit(workspace, source, bytes, nodes) {
  const { program } = limitProgram()
  if (program === undefined || nodes < 2 || nodes > 16 || bytes < nodes * 4096) return null
  const output = workspace.makeDirectory('limit')
  // Two runs, because the first one touches new memory.
  const size = ['--nodes', nodes, '--size', bytes, '--runs', 2]
  const args = [...size, '--source', source, '--output', output]
  const run = await workspace.collect(program, args.map(String))
  workspace.remove('limit')
  return run.status === 0 ? JSON.parse(run.stdout).runs.at(-1) : null
}

async function demo(workspace, { bytes, count }, { formatBytes, formatRate }) {
  say(`${formatBytes(bytes)} of random bytes in ${workspace.directory}`)
  const source = await workspace.randomFile('random.bin', bytes)
  const limit = await measureLimit(workspace, source, bytes, count)
  const nodes = await workspace.startNodes(count)
  say(`${nodes.length} nodes serve: ${listOf(nodes).replaceAll(',', ' ')}`)

  // The push draws on this terminal; its JSON comes here.
  const stdio = ['ignore', 'pipe', 'inherit']
  const { result, exitStatus, cpuSeconds } = await push(workspace, { source, nodes, stdio })
  say('comparing SHA-256 of the source and every copy, read from the files ...')
  const expected = await sha256(source)
  const { tableLines, painter, wantsColours } = await import('../dist/cli/render/text.js')
  const rows = []
  let allRight = exitStatus === 0
  for (const node of nodes) {
    const outcome = result.nodes.find((each) => each.node === node.address)
    const copy = path.join(node.data, path.basename(source))
    const digest = existsSync(copy) ? await sha256(copy) : null
    const right = outcome?.status === 'complete' && digest === expected
    allRight &&= right
    rows.push([
      { text: node.address },
      { text: outcome?.status ?? 'unknown', tone: right ? 'green' : 'red' },
      { text: outcome === undefined ? '-' : outcome.seconds.toFixed(3) },
      { text: outcome === undefined ? '-' : formatRate(outcome.bytes / outcome.seconds) },
      {
        text: digest === null ? 'no copy' : digest === expected ? 'equal' : 'DIFFERS',
        tone: right ? 'green' : 'red',
      },
      { text: outcome?.reason ?? '' },
    ])
  }
  const paint = painter(wantsColours(process.env, process.stdout.isTTY === true))
  const columns = [
    { title: 'node' },
    { title: 'status' },
    { title: 'seconds', right: true },
    { title: 'rate', right: true },
    { title: 'SHA-256' },
    { title: 'reason' },
  ]
  const summary = summaryLines({ result, limit, cpuSeconds, expected, formatBytes })
  process.stdout.write(`\n${[...tableLines(columns, rows, paint), ...summary].join('\n')}\n`)
  return allRight ? 0 : 1
}

/** Ends when it is stopped. */
async function showPage(workspace, { bytes, count }, { formatBytes }) {
  const scene = await startScene(workspace, { count, bytes })
  const nodes = scene.nodes.map(({ address }) => address).join(' ')
  say(`${scene.nodes.length} nodes serve: ${nodes}`)
  await beginPush(scene, { bytes })
  const about = `A push of ${formatBytes(bytes)} takes a minute and a half; Ctrl-C ends the demo.`
  process.stdout.write(`The page: ${scene.origin}/\n${about}\n`)
  const ended = await Promise.race(scene.nodes.map((node) => node.ended))
  throw new Obstacle(`a node ended: ${ended}`)
}

function summaryLines({ result, limit, cpuSeconds, expected, formatBytes }) {
  const complete = result.nodes.filter((outcome) => outcome.status === 'complete')
  const deliveredGB = complete.reduce((sum, outcome) => sum + outcome.bytes, 0) / 1e9
  const rate = deliveredGB / result.seconds
  const bare = limit?.deliveredGBPerSecond
  const ofLimit =
    limit === null
      ? '- (the limit of this machine is measured for 2 to 16 nodes, with a C compiler)'
      : `${(rate / bare).toFixed(3)} of the bare data movement here, ${bare.toFixed(2)} GB/s`
  const bareSpent =
    limit === null ? '' : ` (bare data movement: ${limit.cpuSecondsPerDeliveredGB.toFixed(2)})`
  const perGB = cpuSeconds / deliveredGB
  const spent = Number.isFinite(perGB) ? `${perGB.toFixed(2)}${bareSpent}` : '-'
  return [
    '',
    `source        ${formatBytes(result.bytes)}, SHA-256 ${expected}`,
    `complete      ${complete.length} of ${result.nodes.length} nodes in ` +
      `${result.seconds.toFixed(3)} s`,
    `delivered     ${rate.toFixed(2)} GB/s`,
    `of the limit  ${ofLimit}`,
    `CPU-s per GB  ${spent}`,
  ]
}

/** Returns the exit status. */
async function run() {
  if (!existsSync(main)) throw new Obstacle('dist/ is not built; run: npm ci')
  const units = await import('../dist/cli/render/units.js')
  let options
  try {
    options = readOptions(units)
  } catch (error) {
    say(`demo: ${error.message}\n${usage}`)
    return 2
  }
  if (options === null) {
    process.stdout.write(`${usage}\n`)
    return 0
  }
  const place = choosePlace(options.bytes, options.count, units.formatBytes)
  const { FR_KEY: _, ...env } = process.env
  if (!options.page) env.FR_KEY = randomBytes(32).toString('hex')
  const needed = place.bytes * (options.count + 1)
  const workspace = new Workspace(needed, place.where, { name: 'fastreplica-demo', env })
  try {
    const show = options.page ? showPage : demo
    return await show(workspace, { ...options, bytes: place.bytes }, units)
  } finally {
    await workspace.close()
  }
}

try {
  process.exitCode = await run()
} catch (error) {
  say(error instanceof Obstacle ? `demo: ${error.message}` : error.stack)
  process.exitCode = 1
}
