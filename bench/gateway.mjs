/**
 * What passing bytes on costs: the processor time of a `--relay-only` gateway beside that of a node
 * that stores the file and relays, in turns, on unshaped loopback with two receivers beside it.
 * Both are divided by what they sent, because a gateway is dealt less where it is the slower one.
 */
import { median } from './report.mjs'
import { GIB, MIB, push, sameContent, Workspace } from './workspace.mjs'

const receivers = 2

/** One push to two nodes and a third machine, a storing node or a gateway. */
async function trial(workspace, source, isGateway) {
  const nodes = await workspace.startNodes(receivers)
  const third = await workspace.startNode({ name: 'third', passes: isGateway })
  const before = third.cpuSeconds()
  const pushed = await push(workspace, {
    source,
    nodes: isGateway ? nodes : [...nodes, third],
    others: isGateway ? [third] : [],
    args: isGateway ? ['--relay', third.address] : [],
  })
  const cpuSeconds = third.cpuSeconds() - before
  const holders = isGateway ? nodes : [...nodes, third]
  const isGood = holders.every(({ data }) => sameContent(source, `${data}/source`))
  await workspace.stop([...nodes, third])
  for (const name of ['third', ...nodes.map((_, at) => `node-${at + 1}`)]) workspace.remove(name)
  const { result, exitStatus, errorText } = pushed
  if (exitStatus !== 0 || !isGood) throw new Error(`fr push: ${exitStatus} ${errorText}`)
  const { relayedBytes } = [...result.relays, ...result.shares].find(
    ({ node }) => node === third.address,
  )
  return { relayedBytes, cpuSeconds, seconds: result.seconds }
}

export const gateway = {
  async run({ quick, rounds = quick ? 1 : 5, say }) {
    const bytes = quick ? 16 * MIB : GIB
    const workspace = new Workspace(bytes * (receivers + 2))
    const trials = { 'a gateway': [], 'a storing relay': [] }
    try {
      const source = await workspace.randomFile('source', bytes)
      for (let round = 0; round < rounds; round++)
        for (const [name, all] of Object.entries(trials)) {
          all.push(await trial(workspace, source, name === 'a gateway'))
          say(`${name}: ${all.at(-1).cpuSeconds.toFixed(2)} CPU-s`)
        }
    } finally {
      await workspace.close()
    }
    const middle = (all, of) => median(all.map(of))
    return {
      suite: 'groups',
      title: `passing on ${bytes / MIB} MiB to ${receivers} nodes, loopback, ${rounds} rounds`,
      columns: [
        { key: 'name', title: 'who passes on' },
        { key: 'cpuSeconds', title: 'its CPU-s' },
        { key: 'relayed', title: 'GB sent by it' },
        { key: 'perGB', title: 'CPU-s/GB sent' },
        { key: 'seconds', title: 'seconds' },
      ],
      rows: Object.entries(trials).map(([name, all]) => ({
        name,
        cpuSeconds: middle(all, (one) => one.cpuSeconds),
        relayed: middle(all, (one) => one.relayedBytes / 1e9),
        perGB: middle(all, (one) =>
          one.relayedBytes === 0 ? Number.NaN : one.cpuSeconds / (one.relayedBytes / 1e9),
        ),
        seconds: middle(all, (one) => one.seconds),
        trials: all,
      })),
      notes: ['a storing relay also writes, reads back and verifies all of the file'],
    }
  },
}
