/**
 * One run of a scenario in the lab, by the product (real `fr node` processes and one real `fr
 * push`) or by another system. Every run has a new network, new processes and new files. Nodes are
 * freshly started, as after a restart, unless they are to have served one small push. Contents are
 * compared after the clock stops; a wrong copy or outcome fails the run.
 */
import { rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { stolenSeconds } from '../machine.mjs'
import { median } from '../report.mjs'
import {
  MIB,
  push,
  root,
  sameContent,
  strategyArguments,
  Workspace,
  withWarmMemory,
} from '../workspace.mjs'
import { Lab, wireFactor } from './lab.mjs'
import { boundSeconds } from './scenarios.mjs'

/** Where every node listens. */
export const port = 7400
/** Size of the push before the measured one: enough for the plan of the scenario. */
const firstBytes = 16 * MIB

/** Starts the node of a host, with the key of the workspace. */
export const nodeOf = (workspace, lab, host, options = {}) =>
  workspace.startNode({
    listen: `${lab.address(host)}:${port}`,
    name: `node-${host}`,
    keyFile: workspace.path('key'),
    prefix: lab.prefix(host),
    ...options,
  })

export async function startNodes(workspace, lab, keyFile) {
  const hosts = Array.from({ length: lab.size - 1 }, (_, at) => at + 1)
  return Promise.all(hosts.map((host) => nodeOf(workspace, lab, host, { keyFile })))
}

/** Lets all nodes serve one small push, in which a node compiles most of its own code. */
async function serveOnce(workspace, lab, { nodes, keyFile, strategy, bytes }) {
  const source = await workspace.randomFile('first', Math.min(firstBytes, bytes / 8))
  const { exitStatus, errorText } = await push(workspace, {
    source,
    nodes,
    keyFile,
    prefix: lab.prefix(0),
    args: strategyArguments(strategy),
  })
  if (exitStatus !== 0) throw new Error(`the first push: exit status ${exitStatus} ${errorText}`)
  for (const { data } of nodes) rmSync(path.join(data, 'first'))
}

/** Another client that will have a node added. */
async function startAdder(workspace, lab, keyFile) {
  const args = [path.join(root, 'bench/lab/adder.mjs'), keyFile]
  const stdio = ['pipe', 'pipe', 'pipe']
  const adder = workspace.start(process.execPath, args, { prefix: lab.prefix(0), stdio })
  await adder.until('adder', () => adder.stdout !== '')
  return adder
}

/** The nodes of hosts in sites, as `fr push` is told of them; undefined where there are none. */
function nodesFileOf(workspace, { hosts, siteMbit }, nodes) {
  if (siteMbit === undefined) return undefined
  const file = workspace.path('nodes')
  const lines = nodes.map(({ address }, at) => `${address} site=${hosts[at + 1].site}\n`)
  writeFileSync(file, lines.join(''))
  return file
}

/** Resolves to the time of the request. */
async function addNode({ adder, transfer }, node, via) {
  const start = performance.now()
  adder.child.stdin.end(`${JSON.stringify({ transfer, node: node.address, via: via.address })}\n`)
  await adder.succeed('adding')
  return start
}

/**
 * Applies the scenario's events. Rejects when the push is over before all of them happened, or when
 * one failed; resolves to the time at which a node was added, if one was.
 */
async function disturb(scenario, context) {
  const { lab, nodes, bound, signal } = context
  const { fault, joins, changes = [] } = scenario
  const events = changes.map((change) => ({
    at: change.at,
    act: () => lab.setSpeed(change.host, change),
  }))
  if (fault !== undefined) {
    events.push({
      at: fault.at,
      act() {
        lab.cut(fault.host)
        nodes[fault.host - 1].kill()
      },
    })
  }
  let added
  if (joins !== undefined) {
    const act = () => {
      added = addNode(context, nodes[joins.host - 1], nodes[0])
      added.catch(() => {}) // awaited below
    }
    events.push({ at: joins.at, act })
  }
  const start = performance.now()
  for (const { at, act } of events.sort((a, b) => a.at - b.at)) {
    const rest = start + at * bound * wireFactor * 1000 - performance.now()
    await sleep(Math.max(0, rest), undefined, { signal })
    act()
  }
  return added
}

function outcomes(scenario, nodes, result) {
  return nodes.map((node, at) => ({
    host: at + 1,
    address: node.address,
    data: node.data,
    isGone: at + 1 === scenario.fault?.host,
    isApart: at + 1 === scenario.slow || at + 1 === scenario.joins?.host,
    ...result.nodes.find((each) => each.node === node.address),
  }))
}

/** Checks that every intended node has the file, byte for byte, and that no other claims to. */
function check(scenario, source, list, { exitStatus, errorText }) {
  const wanted = scenario.fault === undefined ? 0 : 3
  for (const each of list) {
    const good = each.status === (each.isGone ? 'failed' : 'complete')
    if (!good) throw new Error(`host ${each.host}: ${each.status} ${each.reason} ${errorText}`)
    if (!each.isGone && !sameContent(source, path.join(each.data, path.basename(source)))) {
      throw new Error(`host ${each.host}: the content differs`)
    }
  }
  if (exitStatus !== wanted) throw new Error(`fr push: exit status ${exitStatus}, not ${wanted}`)
}

/**
 * How often each byte crossed each link between sites, by what the nodes received and by what the
 * link carried, frames and control included: `{ from, to, times, onTheWire }`.
 */
function crossingsOf({ bytes, siteMbit }, { crossings }, crossed) {
  if (siteMbit === undefined) return []
  const order = [crossed[0].from, ...crossed.map(({ to }) => to)]
  /** Payload that went over the link at this place of the line, forth or back. */
  const over = (link, isForth) =>
    crossings.reduce((sum, { from, to, bytes }) => {
      const ends = [order.indexOf(from), order.indexOf(to)]
      const [near, far] = isForth ? ends : ends.reverse()
      return sum + (near <= link && far > link ? bytes : 0)
    }, 0)
  return crossed.flatMap(({ from, to, forth, back }, link) => [
    { from, to, times: over(link, true) / bytes, onTheWire: forth / bytes },
    { from: to, to: from, times: over(link, false) / bytes, onTheWire: back / bytes },
  ])
}

/**
 * Figures of one run: `{ seconds, apartSeconds, lastOfMedian, cpuPerGB, originCpuPerGB,
 * originCopies, mainThreadShare, busyPerGB, stolenSeconds, crossings, system }`. `seconds` is for
 * the nodes that count. `apartSeconds` is for the node judged separately, from the request on if it
 * was added; null without one. `mainThreadShare` is of one core, the median of the nodes.
 * `originCopies` are of all pushes together.
 */
function figures(scenario, measured) {
  const { list, pushed, joinedAt, completedAt, strategy, sent, stolen, crossed } = measured
  const { result } = pushed
  const { atOnce = 1 } = scenario
  const here = list.filter((each) => !each.isGone)
  const counted = here.filter((each) => !each.isApart)
  const ends = counted.map((each) => each.seconds)
  const apart = here.find((each) => each.isApart)
  const sinceAdded = () => (completedAt.get(apart.address) - joinedAt) / 1000
  const delivered = (here.length * scenario.bytes * atOnce) / 1e9
  return {
    seconds: counted.length === list.length ? result.seconds : Math.max(...ends),
    apartSeconds:
      apart === undefined ? null : joinedAt === undefined ? apart.seconds : sinceAdded(),
    lastOfMedian: Math.max(...ends) / median(ends),
    cpuPerGB: pushed.cpuSeconds / delivered,
    originCpuPerGB: pushed.originCpuSeconds / delivered,
    originCopies: sent / scenario.bytes / atOnce,
    crossings: crossingsOf(scenario, result, crossed),
    mainThreadShare: median(
      pushed.mainThreadSeconds
        .filter((each) => !Number.isNaN(each))
        .map((each) => each / pushed.wallSeconds),
    ),
    busyPerGB: pushed.busySeconds / delivered,
    stolenSeconds: stolen,
    system: strategy === 'unicast' ? strategy : result.strategy,
  }
}

/**
 * Counts, from now on, bytes sent by the origin's host and over links between sites, and stolen
 * processor time.
 */
function usage(lab) {
  const now = () => ({
    sent: lab.counters()[0].sent,
    crossed: lab.siteCounters(),
    stolen: stolenSeconds(),
  })
  const before = now()
  return () => {
    const { sent, crossed, stolen } = now()
    return {
      sent: sent - before.sent,
      stolen: stolen - before.stolen,
      crossed: crossed.map((link, at) => ({
        ...link,
        forth: link.forth - before.crossed[at].forth,
        back: link.back - before.crossed[at].back,
      })),
    }
  }
}

/** The network of a scenario. */
function labOf({ hosts, line, siteMbit }, { queue, congestion }) {
  return Lab.create({
    hosts,
    queue,
    congestion,
    ...(line && { line }),
    ...(siteMbit && { siteMbit }),
  })
}

/** One run by the product, in a network of its own. Of several pushes the last to end counts. */
export async function labRun(scenario, { queue, strategy, congestion, served }) {
  const { bytes, atOnce = 1 } = scenario
  const count = scenario.hosts.length - 1
  const workspace = new Workspace(bytes * (count + 1) * atOnce)
  const lab = labOf(scenario, { queue, congestion })
  const bound = boundSeconds(scenario)
  try {
    const keyFile = workspace.keyFile()
    const names = ['source', 'second'].slice(0, atOnce)
    const sources = await Promise.all(names.map((name) => workspace.randomFile(name, bytes)))
    const nodes = await startNodes(workspace, lab, keyFile)
    const nodesFile = nodesFileOf(workspace, scenario, nodes)
    if (served) await serveOnce(workspace, lab, { nodes, keyFile, strategy, bytes })
    const adder = scenario.joins && (await startAdder(workspace, lab, keyFile))
    let used = () => ({ sent: 0, stolen: 0, crossed: [] })
    const over = new AbortController()
    const completedAt = new Map()
    let disturbance
    const others = nodes.filter((_, at) => at + 1 === scenario.joins?.host)
    const pushOne = (source) =>
      push(workspace, {
        source,
        nodes: nodes.filter((node) => !others.includes(node)),
        others,
        nodesFile,
        keyFile,
        prefix: lab.prefix(0),
        args: [
          ...strategyArguments(strategy),
          ...(scenario.args ?? []),
          ...(scenario.joins ? ['--allow-add'] : []),
          // Who is killed here does not come back.
          ...(scenario.fault ? ['--rejoin', '0'] : []),
        ],
        onLine(line) {
          if (line.event === 'node') completedAt.set(line.node, performance.now())
          if (line.event !== 'plan') return
          const { signal } = over
          const { transfer } = line
          disturbance = disturb(scenario, { lab, adder, transfer, nodes, bound, signal })
          disturbance.catch(() => {}) // looked at below, when the push has ended
        },
      })
    const ended = []
    const pushing = withWarmMemory(workspace, bytes * count * atOnce, () => {
      used = usage(lab)
      const each = async (source) => void ended.push({ source, pushed: await pushOne(source) })
      return Promise.all(sources.map(each))
    })
    await pushing.finally(() =>
      over.abort(new Error('the push was over before everything had happened')),
    )
    const joinedAt = await disturbance
    const { sent, stolen, crossed } = used()
    for (const { source, pushed } of ended)
      check(scenario, source, outcomes(scenario, nodes, pushed.result), pushed)
    const { pushed } = ended.at(-1)
    return figures(scenario, {
      list: outcomes(scenario, nodes, pushed.result),
      pushed,
      joinedAt,
      completedAt,
      strategy,
      sent,
      stolen,
      crossed,
    })
  } finally {
    await workspace.close()
    lab.close()
  }
}

/** One run by another system (peers.mjs), in a network of its own. */
export async function peerRun(peer, scenario, { queue, congestion }) {
  const workspace = new Workspace(scenario.bytes * scenario.hosts.length)
  const lab = labOf(scenario, { queue, congestion })
  try {
    const source = await workspace.randomFile('source', scenario.bytes)
    const used = usage(lab)
    const growth = scenario.bytes * (scenario.hosts.length - 1)
    const { seconds, cpuSeconds, busySeconds, copies } = await withWarmMemory(
      workspace,
      growth,
      () => peer.run({ workspace, lab, source, scenario }),
    )
    const { sent, stolen } = used()
    for (const copy of copies) {
      if (!sameContent(source, copy)) throw new Error(`${peer.name}: the content differs`)
    }
    const delivered = scenario.bytes * copies.length
    return {
      seconds,
      apartSeconds: null,
      lastOfMedian: null,
      cpuPerGB: (cpuSeconds / delivered) * 1e9,
      originCpuPerGB: null,
      originCopies: sent / scenario.bytes,
      mainThreadShare: null,
      busyPerGB: (busySeconds / delivered) * 1e9,
      stolenSeconds: stolen,
      system: peer.name,
    }
  } finally {
    await workspace.close()
    lab.close()
  }
}
