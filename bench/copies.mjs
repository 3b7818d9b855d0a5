/**
 * Whether `fr push` is ever slower than a plain copy: `fr push` with its defaults, `fr push --shape
 * unicast`, and nginx with one curl per node, in turns, on unshaped loopback. Sizes are those where
 * a plain copy is hard to beat: tiny, small, and one node.
 *
 * `fr push` is timed by its own `result.seconds`, which includes durable publication; curl from the
 * start of the processes to the end of the last. The first round is not counted (a quick run has
 * none such), and the order alternates between rounds, so that no program is always first.
 */
import path from 'node:path'
import { freePort, missing, startNginx } from './programs.mjs'
import { median, spread } from './report.mjs'
import { KIB, MIB, push, sameContent, strategyArguments, Workspace } from './workspace.mjs'

const cases = [
  { name: '4 KiB to 8 nodes', bytes: 4 * KIB, nodes: 8 },
  { name: '1 MiB to 8 nodes', bytes: MIB, nodes: 8 },
  { name: '64 MiB to 1 node', bytes: 64 * MIB, nodes: 1 },
]
const casesTo32 = [
  { name: '4 KiB to 32 nodes', bytes: 4 * KIB, nodes: 32 },
  { name: '1 MiB to 32 nodes', bytes: MIB, nodes: 32 },
]
const quickCases = [
  { name: '4 KiB to 2 nodes', bytes: 4 * KIB, nodes: 2 },
  { name: '1 MiB to 1 node', bytes: MIB, nodes: 1 },
]

const ratioWanted = 1.05
const moreMsWanted = 10
const wantedText = '<= 1.05 or + 10 ms'

/** True within this share of another's median, or within this many milliseconds of it. */
export const isAllowed = (ms, otherMs) =>
  ms <= Math.max(ratioWanted * otherMs, otherMs + moreMsWanted)

async function pushOnce(workspace, { source, nodes }, strategy) {
  const name = 'pushed'
  const args = ['--as', name, ...strategyArguments(strategy)]
  const { result, exitStatus, wallSeconds, errorText } = await push(workspace, {
    source,
    nodes,
    args,
  })
  if (exitStatus !== 0) throw new Error(`fr push: exit status ${exitStatus} ${errorText}`)
  const copies = nodes.map((node) => path.join(node.data, name))
  return { ms: result.seconds * 1000, wallMs: wallSeconds * 1000, copies }
}

async function curlOnce(workspace, { source, nodes, url }) {
  const copies = nodes.map((_, at) => workspace.path(`curl-${at}`))
  const start = performance.now()
  const clients = copies.map((copy) => workspace.start('curl', ['-sSf', '-o', copy, url(source)]))
  await Promise.all(clients.map((client) => client.succeed('curl')))
  const ms = performance.now() - start
  return { ms, wallMs: ms, copies }
}

const adaptive = 'fr push'
const unicast = 'fr push, unicast'
const nginx = 'nginx + curl'

/** All rounds of one size; resolves to trials by system, or to the reason why there are none. */
async function measure(each, { quick, rounds, say, plain }) {
  const workspace = new Workspace(each.bytes * (3 * each.nodes + 1))
  try {
    const source = await workspace.randomFile('source', each.bytes)
    const nodes = await workspace.startNodes(each.nodes)
    const context = { source, nodes }
    const systems = [
      [adaptive, () => pushOnce(workspace, context)],
      [unicast, () => pushOnce(workspace, context, 'unicast')],
    ]
    const absent = plain ? missing('nginx', 'curl') : null
    if (plain && absent === null) {
      const port = await freePort()
      const start = (...args) => workspace.start(...args)
      const directory = path.dirname(source)
      await startNginx(workspace, { start, listen: `127.0.0.1:${port}`, directory })
      context.url = (file) => `http://127.0.0.1:${port}/${path.basename(file)}`
      systems.push([nginx, () => curlOnce(workspace, context)])
    }
    const trials = new Map(systems.map(([name]) => [name, []]))
    for (let round = quick ? 1 : 0; round <= rounds; round++) {
      for (const [name, run] of round % 2 === 0 ? systems : [...systems].reverse()) {
        const { copies, ...trial } = await run()
        if (!copies.every((copy) => sameContent(source, copy))) {
          throw new Error(`${name}, ${each.name}: a copy differs from the source`)
        }
        for (const copy of copies) workspace.remove(path.relative(workspace.directory, copy))
        if (round > 0) trials.get(name).push(trial)
      }
    }
    say(`${each.name}: ${rounds} rounds`)
    return { trials, absent }
  } finally {
    await workspace.close()
  }
}

/** `{ wanted, met, missed }` of `fr push` with its defaults, compared with the other medians. */
function judged(where, medians) {
  const ms = medians.get(adaptive)
  const others = [unicast, nginx].filter((other) => medians.has(other))
  const matters = others.map((other) => {
    const otherMs = medians.get(other)
    const isMet = isAllowed(ms, otherMs)
    return {
      what: `${where}, loopback, durable at all nodes`,
      of: other,
      measured: `${(ms / otherMs).toFixed(2)}: ${ms.toFixed(0)} ms / ${otherMs.toFixed(0)} ms`,
      wanted: wantedText,
      met: isMet ? 'yes' : 'no',
      cpu: null,
    }
  })
  const above = others.filter((other) => !isAllowed(ms, medians.get(other)))
  return {
    wanted: wantedText,
    met: above.length === 0 ? 'yes' : `no: ${above.join(', ')}`,
    matters,
    missed: above.map(
      (other) =>
        `${where}: ${ms.toFixed(1)} ms, ${other} ${medians.get(other).toFixed(1)} ms ` +
        `(wanted: ${wantedText})`,
    ),
  }
}

/**
 * One line per system. `trials`: by system; `absent`: why there are none of nginx.
 * @param {string} where
 * @param {ReadonlyMap<string, readonly { ms: number, wallMs: number }[]>} trials
 * @param {string | null} absent
 * @returns {{ where: string, name: string, ms: string | null, met?: string, missed: string[] }[]}
 */
export function copyRows(where, trials, absent) {
  const medians = new Map([...trials].map(([name, all]) => [name, median(all.map(({ ms }) => ms))]))
  const text = (all, figure, digits) =>
    spread(
      all.map((trial) => trial[figure]),
      digits,
    )
  const rows = [...trials].map(([name, all]) => ({
    where,
    name,
    ms: text(all, 'ms', 1),
    wallMs: text(all, 'wallMs', 0),
    ofUnicast: medians.get(name) / medians.get(unicast),
    ofNginx: medians.has(nginx) ? medians.get(name) / medians.get(nginx) : null,
    missed: [],
    ...(name === adaptive ? judged(where, medians) : {}),
    trials: all,
  }))
  return absent === null ? rows : [...rows, { where, name: nginx, ms: absent, missed: [] }]
}

/** `plain`: with nginx and curl, too. `few`: the cases of a quick run. */
const suiteOf = (all, { suite, plain, few = quickCases }) => ({
  async run({ quick, rounds = quick ? 1 : 20, say }) {
    const rows = []
    for (const each of quick ? few : all) {
      const { trials, absent } = await measure(each, { quick, rounds, say, plain })
      rows.push(...copyRows(each.name, trials, absent))
    }
    return {
      suite,
      title: `beside plain copies, loopback, ${rounds} rounds in turns`,
      columns: [
        { key: 'where', title: 'what' },
        { key: 'name', title: 'program' },
        { key: 'ms', title: 'ms' },
        { key: 'ofUnicast', title: 'of unicast' },
        { key: 'ofNginx', title: 'of nginx + curl' },
        { key: 'wanted', title: 'wanted' },
        { key: 'met', title: 'met' },
        { key: 'wallMs', title: 'start to exit, ms' },
      ],
      rows,
      isJudged: true,
      missed: rows.flatMap((row) => row.missed),
      matters: rows.flatMap((row) => row.matters ?? []),
      notes: [
        'ms: result.seconds of fr push, first contact to durable publication; of curl, start of ' +
          'the processes to the end of the last (it makes nothing durable)',
      ],
    }
  },
})

export const copies = suiteOf(cases, { suite: 'small', plain: true })

/** As many as a group has, against unicast alone: 32 curls would be a measure of this machine. */
export const copiesTo32 = suiteOf(casesTo32, {
  ...{ suite: 'groups', plain: false },
  few: quickCases.slice(0, 1),
})
