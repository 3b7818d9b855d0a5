/**
 * One master at a size, in a process of its own: how long a decision takes, how much memory.
 *
 *     node bench/wan-scale.mjs SITES NODES FILES DECISIONS
 *
 * Every node is to hold every file; each file is at first at one node. Copies take as long as their
 * rates say, on a virtual clock, and are said to have ended well. Prints one JSON object.
 */
import { readFileSync } from 'node:fs'
import { Master } from '../dist/control/copies/master.js'
import { Random } from '../dist/sim/random.js'
import { median } from './report.mjs'

const MB = 1e6
const [sites, nodes, files, decisions] = process.argv.slice(2).map(Number)

/** A tree of sites with more links across, each both ways. */
function topologyOf(random) {
  const links = []
  const pairs = new Set()
  const add = (a, b) => {
    const key = `${Math.min(a, b)} ${Math.max(a, b)}`
    if (a === b || pairs.has(key)) return
    pairs.add(key)
    for (const [from, to] of [
      [a, b],
      [b, a],
    ])
      links.push({
        ...{ name: `${from}-${to}`, from: `s${from}`, to: `s${to}` },
        bytesPerSecond: Math.round(random.between(100, 1_000) * MB),
        costPerGb: random.between(0, 0.1),
      })
  }
  // Each site hangs on one of the first, so that no way has more hops than a route may have.
  for (let site = 1; site < sites; site++) add(random.integer(0, Math.min(site - 1, 30)), site)
  for (let i = 0; i < sites; i++) add(random.integer(0, sites - 1), random.integer(0, sites - 1))
  return { sites: Array.from({ length: sites }, (_, i) => ({ name: `s${i}` })), links, routes: [] }
}

const random = new Random(1)
const master = new Master({ topology: topologyOf(random) })
const contents = Array.from({ length: files }, (_, i) => ({
  ...{ name: `f${i}`, contentId: `c${i}`, digest: `d${i}`, isGrowing: false },
  size: Math.round(random.between(50, 200) * MB),
}))
const set = {
  ...{ name: 'all', priority: 5, where: { type: 'has', key: 'name' }, never: null, from: null },
  files: contents.map(({ name }) => ({ name, digest: null })),
}
const at = contents.map(() => random.integer(0, nodes - 1))
const rate = { bytesPerSecond: 125 * MB }
const startMs = performance.now()
master.post({ type: 'sets', sets: [set] }, 0)
for (let i = 0; i < nodes; i++) {
  const [node, site] = [`n${i}`, `s${i % sites}`]
  const attributes = { name: node, site }
  master.post({ type: 'joined', node, site, attributes, up: rate, down: rate }, 0)
  const held = contents.filter((_, file) => at[file] === i).map((one) => ({ ...one, ranges: null }))
  const state = { files: held, gone: [], isAll: true, freeBytes: 1e15 }
  master.post({ type: 'state', node, ...state }, 0)
}
const joinSeconds = (performance.now() - startMs) / 1_000

const ends = []
const push = (end) => {
  let i = ends.push(end) - 1
  while (i > 0 && ends[(i - 1) >> 1].atMs > ends[i].atMs) {
    const up = (i - 1) >> 1
    ;[ends[i], ends[up]] = [ends[up], ends[i]]
    i = up
  }
}
const pop = () => {
  const [first] = ends
  const last = ends.pop()
  if (ends.length > 0) {
    ends[0] = last
    for (let i = 0; ; ) {
      let least = i
      for (const child of [2 * i + 1, 2 * i + 2])
        if (child < ends.length && ends[child].atMs < ends[least].atMs) least = child
      if (least === i) break
      ;[ends[i], ends[least]] = [ends[least], ends[i]]
      i = least
    }
  }
  return first
}

/** Of this process: on a machine that others use, time says little. */
const cpuMs = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}
/** Processor time of each turn for one decision: a copy is begun, or what it waits for is known. */
const each = []
let [turnMs, postMs, nowMs, begun, longestMs] = [0, 0, 0, 0, 0]
/** Until the first decision: who lacks what is found, and all of it is planned. */
let firstMs = 0
let demands = 0
while (begun < decisions) {
  const looked = master.scheduler.looked
  const cpu = cpuMs()
  const wishes = master.advance(nowMs)
  const ms = cpuMs() - cpu
  const decided = master.scheduler.looked - looked
  // Not all nodes are looked at in one turn.
  if (demands < nodes * files - files) {
    let wanted = 0
    for (const { demands: of } of master.scheduler.files.values()) wanted += of.size
    demands = Math.max(demands, wanted)
  }
  if (looked === 0) firstMs += ms
  else {
    if (decided > 0) each.push(ms / decided)
    turnMs += ms
    longestMs = Math.max(longestMs, ms)
  }
  const copies = wishes.filter(({ type }) => type === 'copy')
  begun += copies.length
  for (const { node, copy } of copies)
    push({ node, copy, atMs: nowMs + (copy.length / copy.rate) * 1_000 })
  if (master.dueMs <= nowMs) continue
  if (ends.length === 0) break
  const { atMs } = ends[0]
  nowMs = atMs
  const posted = cpuMs()
  while (ends.length > 0 && ends[0].atMs <= nowMs) {
    const { node, copy } = pop()
    const ended = { bytes: copy.length, cause: null, blames: [] }
    master.post({ type: 'copied', node, copy: copy.id, ended }, nowMs)
  }
  postMs += cpuMs() - posted
}
each.sort((a, b) => a - b)
const status = readFileSync('/proc/self/status', 'utf8')
console.log(
  JSON.stringify({
    ...{
      sites,
      nodes,
      demands,
      begun,
      looked: master.scheduler.looked,
      joinSeconds,
      firstSeconds: firstMs / 1_000,
    },
    medianMs: median(each),
    p99Ms: each[Math.floor(each.length * 0.99)],
    turnMs: turnMs / Math.max(1, master.scheduler.looked),
    endedMs: postMs / Math.max(1, begun),
    longestMs,
    virtualSeconds: nowMs / 1_000,
    peakMib: Number(/VmHWM:\s+(\d+)/.exec(status)[1]) / 1_024,
  }),
)
