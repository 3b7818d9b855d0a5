/**
 * The cost of the smallest push: a file of 1 KiB to 8 nodes, from the start of the process to its
 * exit, in turns with `node -e 0`, which does nothing. Also small files beside plain copies
 * (copies.mjs).
 */
import { copies } from './copies.mjs'
import { median, spread } from './report.mjs'
import { judge } from './wanted.mjs'
import { MIB, push, sameContent, Workspace } from './workspace.mjs'

const bytes = 1024
/** Of `node -e 0`: process start to exit. */
const wanted = { 'of node -e 0': 2.2 }

export const small = {
  name: 'small',
  about: 'a file of 1 KiB against node -e 0; 4 KiB, 1 MiB and 64 MiB against plain copies',
  parts: () => [oneKib, copies],
}

export const oneKib = {
  async run({ quick, rounds = quick ? 2 : 20, nodes: count = quick ? 2 : 8, say }) {
    const workspace = new Workspace(MIB)
    const pushes = []
    const empty = []
    const inside = []
    try {
      const source = await workspace.randomFile('source', bytes)
      const nodes = await workspace.startNodes(count)
      for (let round = quick ? 1 : 0; round <= rounds; round++) {
        const nothing = await workspace.collect(process.execPath, ['-e', '0'])
        const pushed = await push(workspace, { source, nodes, args: ['--as', `file-${round}`] })
        const good = nodes.every((node) => sameContent(source, `${node.data}/file-${round}`))
        if (pushed.exitStatus !== 0 || !good) throw new Error(`fr push: ${pushed.errorText}`)
        if (round === 0) continue
        empty.push(nothing.seconds * 1000)
        pushes.push(pushed.wallSeconds * 1000)
        inside.push(pushed.result.seconds * 1000)
      }
      say(`${rounds} rounds`)
    } finally {
      await workspace.close()
    }
    return smallReport(count, rounds, { empty, pushes, inside })
  },
}

/**
 * @param {number} count nodes
 * @param {number} rounds
 * @param {Record<'empty' | 'pushes' | 'inside', readonly number[]>} times in milliseconds
 */
export function smallReport(count, rounds, { empty, pushes, inside }) {
  const ratio = median(pushes) / median(empty)
  const what = `1 KiB to ${count} nodes, process start to exit`
  const shown = [pushes, empty].map((each) => `${median(each).toFixed(0)} ms`).join(' / ')
  const verdict = judge(what, wanted, { 'of node -e 0': ratio })
  return {
    suite: 'small',
    title: `1 KiB to ${count} nodes, ${rounds} rounds`,
    columns: [
      { key: 'name', title: 'program' },
      { key: 'ms', title: 'ms' },
      { key: 'ratio', title: 'of node -e 0' },
      { key: 'wanted', title: 'wanted' },
      { key: 'met', title: 'met' },
    ],
    rows: [
      { name: 'node -e 0', ms: spread(empty, 0), ratio: 1 },
      { name: 'fr push, start to exit', ms: spread(pushes, 0), ratio, ...verdict },
      {
        name: 'fr push, result.seconds',
        ms: spread(inside, 0),
        ratio: median(inside) / median(empty),
      },
    ],
    isJudged: true,
    missed: verdict.missed,
    matters: [
      {
        what,
        of: 'node -e 0',
        measured: `${ratio.toFixed(2)}: ${shown}`,
        ...verdict,
        cpu: null,
      },
    ],
    notes: [],
  }
}
