/**
 * The native engine alone: the data path of the product between real processes on loopback, without
 * control plane, digests and publication. The difference from the limit program is the cost of
 * records and events; the difference from `fr push` is the cost of everything else.
 */
import { once } from 'node:events'
import path from 'node:path'
import { median, spread } from './report.mjs'
import { GIB, MIB, root, sameContent, Workspace, withWarmMemory } from './workspace.mjs'

const program = path.join(root, 'bench/engine-process.mjs')

function startParty(workspace, order) {
  const party = workspace.start(process.execPath, [program], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  party.child.send(order)
  return party
}

async function answer(party, key) {
  const ended = party.ended.then(() => {
    throw new Error(`engine bench: a process ended early: ${party.stderr}`)
  })
  for (;;) {
    const [message] = await Promise.race([once(party.child, 'message'), ended])
    if (key in message) return message
  }
}

/** One transfer; resolves to `{ seconds, cpuSeconds }`. Contents are compared afterwards. */
export async function engineTrial(workspace, source, { nodes: count, bytes }) {
  const nodes = Array.from({ length: count }, (_, at) =>
    startParty(workspace, {
      role: 'node',
      directory: workspace.makeDirectory(`engine-${at}`),
      size: bytes,
    }),
  )
  const origin = startParty(workspace, { role: 'origin', source, size: bytes })
  const originReady = answer(origin, 'ready')
  const ports = (await Promise.all(nodes.map((node) => answer(node, 'listening')))).map(
    (message) => message.listening,
  )
  const ready = nodes.map((node) => answer(node, 'ready'))
  for (const [at, node] of nodes.entries()) {
    node.child.send({ mates: ports.filter((_, mate) => mate !== at) })
  }
  await Promise.all([...ready, originReady])
  const done = nodes.map((node) => answer(node, 'done'))
  const start = performance.now()
  origin.child.send({ go: ports })
  const reports = await Promise.all(done)
  const seconds = (performance.now() - start) / 1000
  const report = answer(origin, 'cpuSeconds')
  origin.child.send({ report: true })
  reports.push(await report)
  const copies = nodes.map((_, at) => workspace.path(`engine-${at}`, '.fastreplica/partials/copy'))
  const good = copies.every((copy) => sameContent(source, copy))
  await workspace.stop([origin, ...nodes])
  for (const at of nodes.keys()) workspace.remove(`engine-${at}`)
  if (!good) throw new Error('engine bench: a copy differs from the source')
  return { seconds, cpuSeconds: reports.reduce((sum, each) => sum + each.cpuSeconds, 0) }
}

export const engine = {
  name: 'engine',
  about: 'the native engine alone, no digests, no control plane',

  async run({ quick, rounds = quick ? 1 : 5, nodes = 4, bytes = quick ? 16 * MIB : GIB, say }) {
    const workspace = new Workspace(bytes * (nodes + 1) + (quick ? 0 : 512 * MIB))
    const trials = []
    try {
      const source = await workspace.randomFile('source', bytes)
      for (let round = 0; round <= rounds; round++) {
        const trial = await withWarmMemory(workspace, bytes * nodes, () =>
          engineTrial(workspace, source, { nodes, bytes }),
        )
        say(`round ${round}: ${trial.seconds.toFixed(2)} s`)
        if (round > 0) trials.push(trial)
      }
    } finally {
      await workspace.close()
    }
    const deliveredGB = (bytes * nodes) / 1e9
    const rates = trials.map((trial) => deliveredGB / trial.seconds)
    const cpu = trials.map((trial) => trial.cpuSeconds / deliveredGB)
    return {
      suite: 'engine',
      title: `${bytes / MIB} MiB to ${nodes} nodes, no digests, ${rounds} rounds`,
      columns: [
        { key: 'name', title: 'program' },
        { key: 'rate', title: 'delivered GB/s' },
        { key: 'cpu', title: 'CPU-s/GB' },
      ],
      rows: [{ name: 'engine', rate: spread(rates), cpu: spread(cpu, 3), trials }],
      notes: [`median ${median(rates).toFixed(2)} GB/s`],
    }
  },
}
