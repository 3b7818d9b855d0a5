/**
 * One run of a scenario in the lab: by the product, with real `fr node` processes and one real `fr
 * push`, or by another system. Every run has a new network, new processes and new files. Content is
 * compared after the clock has stopped; a copy or an outcome that is not right fails the run.
 */
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { availableMemoryBytes } from '../machine.mjs'
import { push, sameContent, Workspace, warmMemory } from '../workspace.mjs'
import { Lab, wireFactor } from './lab.mjs'
import { boundSeconds } from './scenarios.mjs'

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

/** The same run by another system (peers.mjs). */
export async function peerRun(peer, scenario, { queue, congestion }) {
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
