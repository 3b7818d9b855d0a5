/**
 * The suite `fast`: `fr push` beside other systems where the processor is the limit, and where time
 * is lost before bytes flow (contests.mjs). Systems take turns; every trial has a new network, new
 * processes and new files, and contents are compared after the clock has stopped. The first round
 * is not counted.
 */
import { readdirSync, rmSync, statSync } from 'node:fs'
import path from 'node:path'
import { oneKib } from '../small.mjs'
import {
  Obstacle,
  push,
  sameContent,
  strategyArguments,
  Workspace,
  withWarmMemory,
} from '../workspace.mjs'
import { contestReport, contests, pushed, quickContest } from './contests.mjs'
import { Lab, labObstacle } from './lab.mjs'
import { nginxThenBlake3, peers } from './peers.mjs'
import { startNodes } from './runs.mjs'

const sharedMbit = 160
const unlimited = { upMbit: Infinity, downMbit: Infinity }
const lan8 = { upMbit: 200, downMbit: 200 }

/** A lab in which every host is the same one: loopback, apart from the machine's own. */
class LoopbackLab {
  size = 2
  #lab = Lab.create({ hosts: [unlimited] })

  address() {
    return '127.0.0.1'
  }

  prefix() {
    return this.#lab.prefix(0)
  }

  close() {
    this.#lab.close()
  }
}

function makeLab({ network, nodes }) {
  if (network === 'loopback') return new LoopbackLab()
  const hosts = Array.from({ length: nodes + 1 }, () => (network === 'lan8' ? lan8 : unlimited))
  return Lab.create({ hosts, ...(network === 'shared' ? { sharedMbit } : {}) })
}

/** True once the node has a byte of the file: on tmpfs a partial takes room as it lands. */
function hasBytes(node) {
  try {
    const partials = path.join(node.data, '.fastreplica/partials')
    const files = [...readdirSync(partials).map((name) => path.join(partials, name))]
    return [...files, path.join(node.data, 'source')].some(
      (file) => (statSync(file, { throwIfNoEntry: false })?.blocks ?? 0) > 0,
    )
  } catch {
    return false
  }
}

/**
 * Looks every millisecond until every node has a byte. `end(contactMs)` resolves to the seconds
 * from that moment until the last of them had, or null.
 */
function watchFirstBytes(nodes) {
  const waiting = new Set(nodes)
  let lastMs = null
  const timer = setInterval(() => {
    for (const node of waiting) {
      if (!hasBytes(node)) continue
      waiting.delete(node)
      lastMs = performance.now()
    }
    if (waiting.size === 0) clearInterval(timer)
  }, 1)
  return {
    end(contactMs) {
      clearInterval(timer)
      return waiting.size > 0 ? null : (lastMs - contactMs) / 1000
    },
  }
}

/** One `fr push` to freshly started nodes. */
async function pushOnce({ contest, workspace, lab, source, keyFile }, strategy) {
  const nodes = await startNodes(workspace, lab, keyFile)
  let first
  let contactMs = Infinity
  const done = await withWarmMemory(workspace, contest.bytes * contest.nodes, () => {
    first = watchFirstBytes(nodes)
    return push(workspace, {
      ...{ source, nodes, keyFile, prefix: lab.prefix(0) },
      args: [...contest.args, ...strategyArguments(strategy)],
      onLine(line) {
        // Lines come a moment late; the least late one tells best when the push began.
        const began = performance.now() - line.seconds * 1000
        if (line.event === 'node') contactMs = Math.min(contactMs, began)
      },
    })
  })
  const firstByteSeconds = first.end(contactMs)
  const copies = nodes.map((node) => path.join(node.data, path.basename(source)))
  if (done.exitStatus !== 0) throw new Error(`exit status ${done.exitStatus} ${done.errorText}`)
  const { wallSeconds: seconds, cpuSeconds, busySeconds } = done
  const resultSeconds = done.result.seconds
  await workspace.stop(nodes)
  const remove = nodes.map((node) => node.data)
  return { seconds, resultSeconds, cpuSeconds, busySeconds, firstByteSeconds, copies, remove }
}

async function peerOnce(peer, { contest, workspace, lab, source }) {
  const done = await withWarmMemory(workspace, contest.bytes * contest.nodes, () =>
    peer.run({ workspace, lab, source }),
  )
  return { ...done, remove: done.copies }
}

/** `{ name, missing(), run(context) }` for each system of a contest. */
function contenders(contest) {
  return contest.systems.map((name) => {
    const peer = [...peers, nginxThenBlake3].find((each) => each.name === name)
    if (peer !== undefined) {
      return { name, missing: peer.missing, run: (context) => peerOnce(peer, context) }
    }
    const strategy = name === pushed ? undefined : name.slice(`${pushed}, `.length)
    return { name, missing: () => null, run: (context) => pushOnce(context, strategy) }
  })
}

/** One trial, in a network of its own. */
async function trialOf(contender, context) {
  const { contest, source } = context
  const lab = makeLab(contest)
  try {
    const { copies, remove, cpuSeconds, busySeconds, ...trial } = await contender.run({
      ...context,
      lab,
    })
    const isGood = copies.every((copy) => sameContent(source, copy))
    for (const each of remove) rmSync(each, { recursive: true })
    if (!isGood) throw new Error('a copy differs from the source')
    const deliveredGB = (contest.bytes * contest.nodes) / 1e9
    return {
      ...trial,
      cpuPerGB: cpuSeconds / deliveredGB,
      busyPerGB: busySeconds / deliveredGB,
    }
  } finally {
    lab.close()
  }
}

/** All rounds of a contest. A failed trial ends the part of its system, not that of the others. */
async function runContest(name, contest, { quick, rounds, say }) {
  const workspace = new Workspace(contest.bytes * (contest.nodes + 1))
  const all = contenders(contest)
  const missing = new Map(
    all.flatMap(({ name, missing }) => (missing() === null ? [] : [[name, missing()]])),
  )
  const trials = new Map(all.map(({ name }) => [name, []]))
  const failures = []
  try {
    const source = await workspace.randomFile('source', contest.bytes)
    const context = { contest, workspace, source, keyFile: workspace.keyFile() }
    const failed = new Set()
    for (let round = quick ? 1 : 0; round <= rounds; round++) {
      for (const contender of round % 2 === 0 ? all : [...all].reverse()) {
        if (missing.has(contender.name) || failed.has(contender.name)) continue
        try {
          const trial = await trialOf(contender, context)
          say(`${name}, round ${round}, ${contender.name}: ${trial.seconds.toFixed(2)} s`)
          if (round > 0) trials.get(contender.name).push(trial)
        } catch (error) {
          if (error instanceof Obstacle) throw error
          say(`${name}, ${contender.name}: ${error.stack}`)
          failed.add(contender.name)
          failures.push(`${name}, ${contender.name}: ${error.message.split('\n')[0]}`)
        }
      }
    }
  } finally {
    await workspace.close()
  }
  return contestReport(contest, trials, missing, failures)
}

export const fast = {
  /** Each part is a suite of its own, so that one failure does not affect the others. */
  parts({ scenarios: names, quick, rounds = quick ? 1 : 5 }) {
    const known = [...Object.keys(contests), 'small']
    const chosen = names ?? known
    const unknown = chosen.find((name) => !known.includes(name))
    if (unknown !== undefined) {
      throw new Obstacle(`no contest ${unknown}; known are ${known.join(', ')}`)
    }
    const obstacle = labObstacle()
    if (obstacle !== null) throw new Obstacle(obstacle)
    return chosen.map((name) => {
      if (name === 'small') return oneKib
      const contest = quick ? quickContest(contests[name]) : contests[name]
      return { run: ({ say }) => runContest(name, contest, { quick, rounds, say }) }
    })
  },
}
