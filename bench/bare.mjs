/**
 * Real machines: what the disk here and the links between them give, and what a push makes of it.
 *
 *     fr-bench disk --dir /srv/data
 *     fr-bench net --nodes nodes.txt --key-file fr.key
 *     fr-bench lan --nodes nodes.txt --key-file fr.key
 *
 * Each line of the file is a node (`fr node`) that runs on a machine of its own; the file is that
 * of `fr push --nodes`. What is put there has a name of this process and is removed afterwards.
 * `lan` measures the links first, and has the planner tell the bound that follows from them and
 * what makes it.
 */
import { closeSync, fdatasyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { client, copy, digestFile, get, loadKeyFile, push } from '../dist/api/index.js'
import { parseNodesFile } from '../dist/cli/arguments/addresses.js'
import { median, spread } from './report.mjs'
import { MIB, Obstacle, sameContent, Workspace } from './workspace.mjs'

const busyMs = 60_000
const secondsSince = (startMs) => (performance.now() - startMs) / 1000
const megabytes = (bytesPerSecond) => bytesPerSecond / 1e6

/** The nodes of the file, and the key. */
async function fleetOf({ nodesFile: file, keyFile }) {
  if (typeof file !== 'string') throw new Obstacle('needs --nodes FILE, a line for each node')
  let targets
  try {
    targets = parseNodesFile(readFileSync(file, 'utf8'), file)
  } catch (error) {
    throw new Obstacle(`--nodes: ${error.message}`)
  }
  if (targets.length === 0) throw new Obstacle(`--nodes: ${file} names no node`)
  const key = keyFile === undefined ? process.env.FR_KEY : await loadKeyFile(keyFile)
  return { targets, keyed: key === undefined ? {} : { key } }
}

function complete({ nodes, seconds }) {
  const failed = nodes.filter(({ status }) => status !== 'complete')
  if (failed.length === 0) return seconds
  throw new Error(failed.map(({ node, reason }) => `${node}: ${reason}`).join('\n'))
}

/** From all that have it, once nothing writes it any more. */
async function removed(targets, name, keyed) {
  const endMs = performance.now() + busyMs
  const remove = async ({ address }) => {
    for (;;) {
      const code = await client.remove(address, name, keyed).then(
        () => null,
        (error) => error.code ?? error.message,
      )
      if (code === null || code === 'ERR_FR_NOT_HELD') return
      if (code !== 'ERR_FR_BUSY' || performance.now() > endMs)
        throw new Error(`${name} could not be removed at ${address}: ${code}`)
      await sleep(100)
    }
  }
  await Promise.all(targets.map(remove))
}

/** Bytes a second from here to each node, back, and from each to the next one. */
async function measureLinks(workspace, { targets, keyed }, { bytes, rounds, say }) {
  const source = await workspace.randomFile('link', bytes)
  const name = `fr-bench-${process.pid}-link`
  const output = workspace.path('back')
  const links = targets.map(({ address }) => ({ address, to: [], back: [], next: [] }))
  for (let round = 0; round < rounds; round++)
    for (const [at, target] of targets.entries()) {
      const { address } = target
      const following = targets[(at + 1) % targets.length]
      await removed([target, following], name, keyed)
      const pushed = await push(source, { to: [target], as: name, ...keyed }).result
      links[at].to.push(bytes / complete(pushed))
      const startMs = performance.now()
      await get(name, { from: [address], output, force: true, ...keyed }).result
      links[at].back.push(bytes / secondsSince(startMs))
      if (!sameContent(source, output)) throw new Error(`${address} sent another file`)
      if (following !== target) {
        const to = [following]
        const copied = await copy(name, { from: address, to, ...keyed }).result
        links[at].next.push(bytes / complete(copied))
      }
      await removed([target, following], name, keyed)
      say(`${address}, round ${round + 1}: ${megabytes(links[at].to.at(-1)).toFixed(1)} MB/s there`)
    }
  return links
}

const sizes = ({ quick, rounds }) => ({ bytes: (quick ? 2 : 64) * MIB, rounds: rounds ?? 1 })

export const net = {
  name: 'net',
  about: 'what each link of real machines gives: from here, back, to the next (--nodes)',
  async run(options) {
    const fleet = await fleetOf(options)
    const { bytes, rounds } = sizes(options)
    const workspace = new Workspace(2 * bytes, 'any')
    try {
      const links = await measureLinks(workspace, fleet, { bytes, rounds, say: options.say })
      return netReport(links, bytes, rounds)
    } finally {
      await workspace.close()
    }
  },
}

export function netReport(links, bytes, rounds) {
  const text = (rates) => spread(rates.map(megabytes), 1)
  const slowest = (key) =>
    links.reduce((one, other) => (median(other[key]) < median(one[key]) ? other : one)).address
  return {
    suite: 'net',
    title: `${bytes / MIB} MiB over each link, one after the other, ${rounds} rounds`,
    columns: [
      { key: 'address', title: 'node' },
      { key: 'to', title: 'MB/s from here' },
      { key: 'back', title: 'MB/s back' },
      { key: 'next', title: 'MB/s to the next node' },
    ],
    rows: links.map(({ address, to, back, next }) => ({
      ...{ address, to: text(to), back: text(back), next: text(next) },
    })),
    notes: [
      `slowest from here: ${slowest('to')}; slowest back: ${slowest('back')}`,
      'with the disks at both ends: fr-bench disk says what one gives by itself',
    ],
  }
}

export const disk = {
  name: 'disk',
  about: 'what a disk takes and digests cost, beside a push to a node there (--dir)',
  async run({ quick, rounds = quick ? 1 : 3, dir, say }) {
    const bytes = (quick ? 8 : 512) * MIB
    const env = { ...process.env, FR_KEY: undefined }
    const workspace = new Workspace(2 * bytes, 'any', { env, ...(dir && { at: dir }) })
    const trials = { written: [], digested: [], pushed: [] }
    try {
      const source = await workspace.randomFile('source', bytes)
      const node = await workspace.startNode({ name: 'node' })
      for (let round = 0; round < rounds; round++) {
        trials.written.push(bytes / written(workspace.path('plain'), source, bytes))
        const startMs = performance.now()
        await digestFile(source, { digest: 'xxh64' })
        trials.digested.push(bytes / secondsSince(startMs))
        const options = { to: [node.address], as: `file-${round}`, digest: 'xxh64' }
        trials.pushed.push(bytes / complete(await push(source, options).result))
        rmSync(path.join(node.data, `file-${round}`))
        say(`round ${round + 1}: ${megabytes(trials.pushed.at(-1)).toFixed(0)} MB/s pushed`)
      }
      return diskReport(trials, { bytes, rounds, directory: path.dirname(workspace.directory) })
    } finally {
      await workspace.close()
    }
  },
}

/** Seconds until all of it is on the disk. */
function written(file, source, bytes) {
  const content = readFileSync(source)
  const fd = openSync(file, 'wx')
  const startMs = performance.now()
  try {
    for (let done = 0; done < bytes; )
      done += writeSync(fd, content, done, 4 * MIB > bytes - done ? bytes - done : 4 * MIB)
    fdatasyncSync(fd)
    return secondsSince(startMs)
  } finally {
    closeSync(fd)
    rmSync(file)
  }
}

export function diskReport({ written, digested, pushed }, { bytes, rounds, directory }) {
  const rows = [
    { name: 'written and synced, one file', rates: written },
    { name: 'digested (xxh64), from memory', rates: digested },
    { name: 'fr push to a node there', rates: pushed },
  ]
  const limit = median(written) <= median(digested) ? 'the disk' : 'the processor (digests)'
  const share = median(pushed) / Math.min(median(written), median(digested))
  return {
    suite: 'disk',
    title: `${bytes / MIB} MiB in ${directory}, ${rounds} rounds`,
    columns: [
      { key: 'name', title: 'what' },
      { key: 'rate', title: 'MB/s' },
    ],
    rows: rows.map(({ name, rates }) => ({ name, rate: spread(rates.map(megabytes), 0) })),
    notes: [`limited by ${limit}; the push is at ${share.toFixed(2)} of that`],
  }
}

export const bareLan = {
  async run({ quick, rounds = quick ? 1 : 3, strategies, say, ...options }) {
    const fleet = await fleetOf(options)
    const { targets, keyed } = fleet
    const bytes = (quick ? 4 : 256) * MIB
    const link = sizes({ quick })
    const workspace = new Workspace(bytes + 2 * link.bytes, 'any')
    try {
      const links = await measureLinks(workspace, fleet, { ...link, say })
      const source = await workspace.randomFile('source', bytes)
      const name = `fr-bench-${process.pid}`
      const to = told(targets, links)
      const uplinkBytesPerSecond = Math.max(...links.map((each) => median(each.to)))
      const ways = waysOf(strategies)
      const trials = ways.map(() => [])
      let plan
      for (let round = 0; round < rounds; round++)
        for (const [at, way] of ways.entries()) {
          const transfer = push(source, { to, as: name, uplinkBytesPerSecond, ...keyed, ...way.as })
          transfer.once('plan', (made) => {
            plan ??= made
          })
          trials[at].push(complete(await transfer.result))
          await removed(targets, name, keyed)
          say(`${way.name}, round ${round + 1}: ${trials[at].at(-1).toFixed(2)} s`)
        }
      return [
        netReport(links, link.bytes, link.rounds),
        lanReport({ ways, trials, plan, bytes, rounds, count: targets.length }),
      ]
    } finally {
      await workspace.close()
    }
  },
}

/** The nodes with the rates that were seen, where the file tells none. */
function told(targets, links) {
  return targets.map((target, at) => {
    const { to, back, next } = links[at]
    const up = Math.max(median(back), next.length === 0 ? 0 : median(next))
    const seen = { uplinkBytesPerSecond: up, downlinkBytesPerSecond: median(to) }
    return { ...seen, ...target }
  })
}

function waysOf(strategies = ['adaptive', 'unicast']) {
  return strategies.map((name) => ({
    name: `fr push, ${name}`,
    as: name === 'unicast' ? { shape: 'unicast' } : { strategy: name },
  }))
}

export function lanReport({ ways, trials, plan, bytes, rounds, count }) {
  const bound = plan?.boundSeconds ?? null
  const of = (seconds) => (bound === null ? null : median(seconds) / bound)
  return {
    suite: 'lan',
    title: `${bytes / MIB} MiB to ${count} nodes that run elsewhere, ${rounds} rounds`,
    columns: [
      { key: 'name', title: 'what' },
      { key: 'seconds', title: 'seconds' },
      { key: 'delivered', title: 'MB/s delivered', digits: 1 },
      { key: 'ofBound', title: 'of the bound' },
    ],
    rows: ways.map(({ name }, at) => ({
      name,
      seconds: spread(trials[at]),
      delivered: megabytes((bytes * count) / median(trials[at])),
      ofBound: of(trials[at]),
    })),
    notes: [
      bound === null
        ? 'no bound: the planner knows no speed'
        : `the bound is ${bound.toFixed(2)} s by the rates that single transfers had,` +
          ` limited by ${plan.limiting}`,
      'machines whose links are shared, or that are one, do not reach it together',
    ],
  }
}
