/**
 * Memory of a node while it receives a small and a large file: its anonymous resident memory
 * (RssAnon), sampled from /proc every few milliseconds. The page cache belongs to the system and is
 * not counted. The files are on disk, so that they take none of the measured memory.
 */
import { watchMemory } from './machine.mjs'
import { GIB, MIB, push, sameContent, Workspace } from './workspace.mjs'

const sampleMs = 10

async function trial(workspace, bytes) {
  const source = await workspace.randomFile('source', bytes)
  const node = await workspace.startNode({ name: 'node' })
  const memory = watchMemory(node.child.pid, sampleMs)
  const { exitStatus, result, errorText } = await push(workspace, { source, nodes: [node] })
  const { idle, peak, samples } = memory.end()
  const good = sameContent(source, `${node.data}/source`)
  await node.stop()
  workspace.remove('node')
  workspace.remove('source')
  if (exitStatus !== 0 || !good) throw new Error(`fr push: exit status ${exitStatus} ${errorText}`)
  return {
    name: `${bytes / MIB} MiB`,
    idle: idle / 1e6,
    peak: peak / 1e6,
    samples,
    seconds: result.seconds,
  }
}

export const memory = {
  name: 'memory',
  about: 'anonymous memory of a node while it receives 64 MiB and 4 GiB',

  async run({ quick, say }) {
    const sizes = quick ? [MIB, 16 * MIB] : [64 * MIB, 4 * GIB]
    const workspace = new Workspace(Math.max(...sizes) * 2, 'disk')
    const rows = []
    try {
      for (const bytes of sizes) {
        rows.push(await trial(workspace, bytes))
        say(`${rows.at(-1).name}: peak ${rows.at(-1).peak.toFixed(1)} MB`)
      }
    } finally {
      await workspace.close()
    }
    const peak = Math.max(...rows.map((row) => row.peak))
    return {
      suite: 'memory',
      title: 'anonymous resident memory of one receiving node',
      columns: [
        { key: 'name', title: 'file' },
        { key: 'idle', title: 'idle MB', digits: 1 },
        { key: 'peak', title: 'peak MB', digits: 1 },
        { key: 'samples', title: 'samples', digits: 0 },
        { key: 'seconds', title: 'seconds' },
      ],
      rows,
      notes: [`peak ${peak.toFixed(1)} MB (wanted: under 120 MB whatever the size)`],
    }
  },
}
