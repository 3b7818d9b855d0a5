/**
 * What sealing costs: the processor time of a push that is sealed beside the same one that is not,
 * in turns, for each gigabyte that reached a node. Each is encrypted and decrypted once.
 */
import { median } from './report.mjs'
import { judge } from './wanted.mjs'
import { GIB, MIB, push, sameContent, Workspace, withWarmMemory } from './workspace.mjs'

const nodes = 4
/** CPU-s per delivered GB more than unsealed, by the OpenSSL that Node brings: 3.0, and later. */
const wantedMore = Number.parseInt(process.versions.node, 10) < 22 ? 1.3 : 0.8

async function trial(workspace, source, bytes, isSealed) {
  const started = await workspace.startNodes(nodes)
  const args = ['--digest', 'xxh64', ...(isSealed ? ['--seal'] : [])]
  const done = await withWarmMemory(workspace, bytes * nodes, () =>
    push(workspace, { source, nodes: started, args }),
  )
  const isGood = started.every(({ data }) => sameContent(source, `${data}/source`))
  await workspace.stop(started)
  for (const [at] of started.entries()) workspace.remove(`node-${at + 1}`)
  if (done.exitStatus !== 0 || !isGood)
    throw new Error(`fr push: ${done.exitStatus} ${done.errorText}`)
  const perGB = done.cpuSeconds / ((bytes * nodes) / 1e9)
  return { seconds: done.result.seconds, perGB }
}

export const seal = {
  name: 'seal',
  about: 'a push that is sealed beside the same one that is not, in turns, on loopback',
  async run({ quick, rounds = quick ? 1 : 5, say }) {
    const bytes = quick ? 8 * MIB : GIB / 2
    const workspace = new Workspace(bytes * (nodes + 1))
    const trials = { 'not sealed': [], sealed: [] }
    try {
      const source = await workspace.randomFile('source', bytes)
      for (let round = quick ? 1 : 0; round <= rounds; round++)
        for (const [name, all] of Object.entries(trials)) {
          const done = await trial(workspace, source, bytes, name === 'sealed')
          say(`${name}, round ${round}: ${done.perGB.toFixed(2)} CPU-s/GB`)
          if (round > 0) all.push(done)
        }
    } finally {
      await workspace.close()
    }
    const cpuOf = (all) => median(all.map(({ perGB }) => perGB))
    const more = cpuOf(trials.sealed) - cpuOf(trials['not sealed'])
    // So few bytes show that it works; what they cost is mostly the start of five processes.
    const judged = quick
      ? {}
      : judge('sealed', { 'CPU-s/GB more': wantedMore }, { 'CPU-s/GB more': more })
    return {
      suite: 'seal',
      title: `${bytes / MIB} MiB to ${nodes} nodes, loopback, Node ${process.versions.node}`,
      columns: [
        { key: 'name', title: 'push' },
        { key: 'perGB', title: 'CPU-s/GB' },
        { key: 'more', title: 'more' },
        { key: 'wanted', title: 'wanted' },
        { key: 'met', title: 'met' },
        { key: 'seconds', title: 'seconds' },
      ],
      rows: Object.entries(trials).map(([name, all]) => ({
        name,
        perGB: cpuOf(all),
        ...(name === 'sealed' && { more, wanted: judged.wanted, met: judged.met }),
        seconds: median(all.map(({ seconds }) => seconds)),
        trials: all,
      })),
      isJudged: !quick,
      ...(!quick && { missed: judged.missed }),
      notes: [`${rounds} rounds`],
    }
  },
}
