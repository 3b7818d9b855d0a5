/**
 * The suites that need the lab: scenarios over network namespaces with real `fr node` processes and
 * one real `fr push` each, and beside them, where asked for and installed, other systems. Every run
 * has a new network, new processes and new files. Content is compared after the clock has stopped.
 */

import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { availableMemoryBytes } from '../machine.mjs'
import { median, spread } from '../report.mjs'
import { MIB, Obstacle, push, sameContent, Workspace, warmMemory } from '../workspace.mjs'
import { Lab, labObstacle, wireFactor } from './lab.mjs'
import { peers } from './peers.mjs'
import { boundSeconds, quickScenario, scenarios, slowBoundSeconds } from './scenarios.mjs'

const port = 7400

export function makeKey(workspace) {
  const file = workspace.path('key')
  writeFileSync(file, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600 })
  return file
}

export async function startNodes(workspace, lab, keyFile) {
  const hosts = Array.from({ length: lab.size - 1 }, (_, at) => at + 1)
  return Promise.all(
    hosts.map((host) =>
      workspace.startNode({
        listen: `${lab.address(host)}:${port}`,
        name: `node-${host}`,
        keyFile,
        prefix: lab.prefix(host),
      }),
    ),
  )
}

/** What happens to the network on the way. Rejects when the push is over before all of it has. */
async function disturb(scenario, { lab, nodes, bound, signal }) {
  const { fault, changes = [] } = scenario
  const events = changes.map((change) => ({
    at: change.at,
    act: () => lab.setSpeed(change.host, change),
  }))
  if (fault !== undefined) {
    events.push({
      at: fault.at,
      act() {
        lab.cut(fault.host)
        nodes[fault.host - 1].child.kill('SIGKILL')
      },
    })
  }
  const start = performance.now()
  for (const { at, act } of events.sort((a, b) => a.at - b.at)) {
    const rest = start + at * bound * wireFactor * 1000 - performance.now()
    await sleep(Math.max(0, rest), undefined, { signal })
    act()
  }
}

function outcomes(scenario, nodes, result) {
  const gone = scenario.fault?.host
  return nodes.map((node, at) => ({
    host: at + 1,
    data: node.data,
    isGone: at + 1 === gone,
    isSlow: at + 1 === scenario.slow,
    ...result.nodes.find((each) => each.node === node.address),
  }))
}

/** Every node that should have the file has it, byte for byte, and nobody else claims to. */
function check(scenario, source, list, exitStatus, errorText) {
  const wanted = scenario.fault === undefined ? 0 : 3
  for (const each of list) {
    const good = each.status === (each.isGone ? 'failed' : 'complete')
    if (!good) throw new Error(`host ${each.host}: ${each.status} ${each.reason} ${errorText}`)
    if (!each.isGone && !sameContent(source, path.join(each.data, 'source'))) {
      throw new Error(`host ${each.host}: the content differs`)
    }
  }
  if (exitStatus !== wanted) throw new Error(`fr push: exit status ${exitStatus}, not ${wanted}`)
}

/** One run: `{ seconds, slowSeconds, cpuPerGB, originCopies, strategy }`. */
export async function labRun(scenario, { queue, strategy, congestion }) {
  const count = scenario.hosts.length - 1
  const workspace = new Workspace(scenario.bytes * (count + 1))
  const lab = Lab.create({ hosts: scenario.hosts, queue, congestion })
  const bound = boundSeconds(scenario)
  try {
    const keyFile = makeKey(workspace)
    const source = workspace.randomFile('source', scenario.bytes)
    const nodes = await startNodes(workspace, lab, keyFile)
    await warmMemory(
      workspace,
      source,
      Math.min(scenario.bytes * count, availableMemoryBytes() / 2),
    )
    const before = lab.counters()[0].sent
    const over = new AbortController()
    let disturbance
    const pushing = push(workspace, {
      source,
      nodes,
      keyFile,
      prefix: lab.prefix(0),
      args: strategy === undefined ? [] : ['--strategy', strategy],
      onLine(line) {
        if (line.event !== 'plan') return
        disturbance = disturb(scenario, { lab, nodes, bound, signal: over.signal })
        disturbance.catch(() => {}) // looked at below, when the push has ended
      },
    })
    const pushed = await pushing.finally(() =>
      over.abort(new Error('the push was over before the network had changed')),
    )
    await disturbance
    const list = outcomes(scenario, nodes, pushed.result)
    check(scenario, source, list, pushed.exitStatus, pushed.errorText)
    const counted = list.filter((each) => !each.isGone && !each.isSlow)
    const delivered = list.filter((each) => !each.isGone).length * scenario.bytes
    const isWhole = counted.length === list.length
    return {
      seconds: isWhole ? pushed.result.seconds : Math.max(...counted.map((each) => each.seconds)),
      slowSeconds: list.find((each) => each.isSlow)?.seconds ?? null,
      cpuPerGB: (pushed.cpuSeconds / delivered) * 1e9,
      originCopies: (lab.counters()[0].sent - before) / scenario.bytes,
      strategy: pushed.result.strategy,
    }
  } finally {
    await workspace.close()
    lab.close()
  }
}

function row(name, queue, scenario, runs) {
  const floor = boundSeconds(scenario) * wireFactor
  const seconds = runs.map((run) => run.seconds)
  return {
    name,
    queue,
    strategy: runs[0].strategy,
    bound: boundSeconds(scenario),
    floor,
    seconds: spread(seconds),
    ratio: median(seconds) / floor,
    ratios: spread(
      seconds.map((each) => each / floor),
      3,
    ),
    percent: (100 * floor) / median(seconds),
    cpu: spread(runs.map((run) => run.cpuPerGB)),
    copies: spread(runs.map((run) => run.originCopies)),
    runs,
  }
}

function slowRow(name, queue, scenario, runs) {
  const floor = slowBoundSeconds(scenario) * wireFactor
  const seconds = runs.map((run) => run.slowSeconds)
  return {
    name: `${name}, the slow one`,
    queue,
    strategy: runs[0].strategy,
    bound: slowBoundSeconds(scenario),
    floor,
    seconds: spread(seconds),
    ratio: median(seconds) / floor,
    ratios: spread(
      seconds.map((each) => each / floor),
      3,
    ),
    percent: (100 * floor) / median(seconds),
    cpu: null,
    copies: null,
  }
}

const columns = [
  { key: 'name', title: 'scenario' },
  { key: 'queue', title: 'uplinks' },
  { key: 'strategy', title: 'system' },
  { key: 'bound', title: 'T* s' },
  { key: 'floor', title: 'floor s' },
  { key: 'seconds', title: 'measured s' },
  { key: 'ratios', title: 'of floor' },
  { key: 'percent', title: 'bound %', digits: 1 },
  { key: 'cpu', title: 'CPU-s/GB' },
  { key: 'copies', title: 'origin copies' },
]

async function peerRows(name, queue, scenario, { runs, say, congestion, only }) {
  const rows = []
  for (const peer of peers) {
    if (only !== undefined && !only.includes(peer.name)) continue
    const missing = peer.missing()
    if (missing !== null) {
      rows.push({ name, queue, strategy: peer.name, seconds: missing })
      continue
    }
    const done = []
    for (let run = 0; run < runs; run++) {
      done.push(await peerRun(peer, scenario, { queue, congestion }))
      say(`${name}, ${queue}, ${peer.name}: ${done.at(-1).seconds.toFixed(2)} s`)
    }
    rows.push(row(name, queue, scenario, done))
  }
  return rows
}

async function peerRun(peer, scenario, { queue, congestion }) {
  const workspace = new Workspace(scenario.bytes * scenario.hosts.length)
  const lab = Lab.create({ hosts: scenario.hosts, queue, congestion })
  try {
    const source = workspace.randomFile('source', scenario.bytes)
    const before = lab.counters()[0].sent
    const { seconds, cpuSeconds, copies } = await peer.run({ workspace, lab, source, scenario })
    for (const copy of copies) {
      if (!sameContent(source, copy)) throw new Error(`${peer.name}: the content differs`)
    }
    const delivered = scenario.bytes * copies.length
    return {
      seconds,
      cpuPerGB: (cpuSeconds / delivered) * 1e9,
      originCopies: (lab.counters()[0].sent - before) / scenario.bytes,
      strategy: peer.name,
    }
  } finally {
    await workspace.close()
    lab.close()
  }
}

async function runScenarios(suite, table, options) {
  const obstacle = labObstacle()
  if (obstacle !== null) throw new Obstacle(obstacle)
  const { queues, strategies, say, congestion, withPeers } = options
  const runs = options.rounds ?? (options.quick ? 1 : 3)
  const rows = []
  for (const [name, scenario] of Object.entries(table)) {
    for (const queue of queues) {
      for (const strategy of strategies) {
        const done = []
        for (let run = 0; run < runs; run++) {
          done.push(await labRun(scenario, { queue, strategy, congestion }))
          say(`${name}, ${queue}, ${done.at(-1).strategy}: ${done.at(-1).seconds.toFixed(2)} s`)
        }
        rows.push(row(name, queue, scenario, done))
        if (scenario.slow !== undefined) rows.push(slowRow(name, queue, scenario, done))
      }
      const wanted = { runs, say, congestion, only: options.peers }
      if (withPeers) rows.push(...(await peerRows(name, queue, scenario, wanted)))
    }
  }
  const kind = congestion ?? 'the congestion control of the system'
  return {
    suite,
    title: `scenarios over network namespaces, ${kind}, ${runs} runs: median (min-max)`,
    columns,
    rows,
    notes: [
      ...Object.entries(table).map(
        ([name, { about, bytes }]) => `${name}: ${about}; ${bytes / MIB} MiB`,
      ),
      `T* is the fluid bound, the floor what TCP can make of it: T* x ${wireFactor}`,
    ],
  }
}

function settled(options) {
  return {
    ...options,
    queues: options.queues ?? ['fifo', 'fair'],
    // Undefined: whatever `fr push` does when not told.
    strategies: options.strategies ?? [undefined],
    congestion: options.congestion === 'system' ? null : (options.congestion ?? 'cubic'),
    withPeers: options.peers !== undefined,
  }
}

export const lan = {
  name: 'lan',
  about: '8 nodes in network namespaces, every link 200 Mbit/s (needs root)',
  run: (options) =>
    runScenarios(
      'lan',
      options.quick ? { quick: quickScenario } : { lan8: scenarios.lan8 },
      settled(options),
    ),
}

export const lab = {
  name: 'lab',
  about: `scenarios over network namespaces: ${Object.keys(scenarios).join(', ')} (needs root)`,
  run(options) {
    const names = options.scenarios ?? Object.keys(scenarios)
    const unknown = names.find((name) => !Object.hasOwn(scenarios, name))
    if (unknown !== undefined) throw new Obstacle(`there is no scenario ${unknown}`)
    const table = Object.fromEntries(names.map((name) => [name, scenarios[name]]))
    return runScenarios('lab', options.quick ? { quick: quickScenario } : table, settled(options))
  },
}
