/**
 * A version of a file of which 2 % have changed, to eight nodes of the lab that have the one
 * before, beside the whole push, in the same network and the same run.
 */
import path from 'node:path'
import { withChangedPages } from '../edits.mjs'
import { median, spread } from '../report.mjs'
import { judge } from '../wanted.mjs'
import { MIB, push, sameContent, Workspace } from '../workspace.mjs'
import { Lab, labObstacle } from './lab.mjs'
import { startNodes } from './runs.mjs'
import { quickScenario, scenarios } from './scenarios.mjs'

const wanted = { 'of whole': 0.08 }
const changedShare = 0.02

export const versionsOf8 = {
  async run({ quick, rounds = quick ? 1 : 3, say }) {
    const obstacle = labObstacle()
    const scenario = quick ? quickScenario : scenarios.lan8
    const trials = []
    for (let round = 0; obstacle === null && round < rounds; round++) {
      trials.push(await trial(scenario))
      say(`lan8: round ${round + 1} of ${rounds}`)
    }
    return labVersionsReport(scenario, trials, obstacle)
  },
}

async function trial({ bytes, hosts }) {
  const workspace = new Workspace(bytes * (2 * hosts.length + 2))
  const lab = Lab.create({ hosts })
  try {
    const keyFile = workspace.keyFile()
    const before = await workspace.randomFile('before', bytes)
    const after = workspace.path('after')
    withChangedPages(before, after, changedShare)
    const nodes = await startNodes(workspace, lab, keyFile)
    const pushed = async (source) => {
      const sentBefore = lab.counters()[0].sent
      const prefix = lab.prefix(0)
      const args = ['--as', 'data']
      const done = await push(workspace, { source, nodes, keyFile, prefix, args })
      if (done.exitStatus !== 0) throw new Error(`fr push: ${done.errorText}`)
      for (const { data } of nodes)
        if (!sameContent(source, path.join(data, 'data')))
          throw new Error(`${data} has not what was pushed`)
      return { seconds: done.result.seconds, sent: lab.counters()[0].sent - sentBefore }
    }
    return { whole: await pushed(before), next: await pushed(after) }
  } finally {
    await workspace.close()
    lab.close()
  }
}

/** `obstacle`: why nothing was measured; null: it was. */
export function labVersionsReport({ about, bytes }, trials, obstacle) {
  const ratio = (figure) => median(trials.map(({ whole, next }) => next[figure] / whole[figure]))
  const row = (name, key, more = {}) => ({
    name,
    seconds: spread(trials.map((each) => each[key].seconds)),
    sent: median(trials.map((each) => each[key].sent)) / bytes,
    ...more,
  })
  const label = `${bytes / MIB} MiB, 2 % changed, ${about}`
  const judged = trials.length === 0 ? null : judge(label, wanted, { 'of whole': ratio('seconds') })
  return {
    suite: 'versions',
    title: label,
    columns: [
      { key: 'name', title: 'push' },
      { key: 'seconds', title: 'seconds' },
      { key: 'ratio', title: 'of whole', digits: 3 },
      { key: 'wanted', title: 'wanted' },
      { key: 'met', title: 'met' },
      { key: 'sent', title: 'copies sent by the origin', digits: 3 },
    ],
    rows:
      judged === null
        ? []
        : [
            row('whole', 'whole'),
            row('the next version', 'next', { ratio: ratio('seconds'), ...judged }),
          ],
    isJudged: judged !== null,
    missed: judged?.missed ?? [],
    notes: obstacle === null ? [] : [`not measured: ${obstacle}`],
  }
}
