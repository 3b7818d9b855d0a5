/**
 * `npm run chaos [-- --rounds 50 --seed 1 --nodes 8 --size 1GiB --faults NAME,... --on lab]`: real
 * nodes and pushes while connections break, processes stop and die, cables are out, disks fill and
 * bits flip. All of it comes from a seed; a round that fails prints the line that plays it again.
 * `--short` is two small rounds with what is quick. Without root, what needs it is left out.
 */
import { parseArgs } from 'node:util'
import { parseSize } from '../../dist/cli/render/units.js'
import { faults } from './faults.mjs'
import { planRound, playRound } from './round.mjs'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string' },
    seed: { type: 'string' },
    nodes: { type: 'string' },
    size: { type: 'string' },
    faults: { type: 'string' },
    on: { type: 'string' },
    short: { type: 'boolean', default: false },
  },
})

/** Of the short form: what holds on every machine, in a few seconds a round; one on each ground. */
const quickSeed = '24'
const quick = ['reset-data', 'stop', 'restart', 'cable', 'one-way', 'full-disk']
const rounds = Number(values.rounds ?? (values.short ? 2 : 50))
const names = values.faults?.split(',') ?? (values.short ? quick : Object.keys(faults))
const size = values.size ?? (values.short ? '24MiB' : '1GiB')
const firstSeed = Number(values.seed ?? (values.short ? quickSeed : '1'))
const count = Number(values.nodes ?? (values.short ? 5 : 8))
const bytes = parseSize(size)
/** Far beyond what a busy machine needs: a round that is not over then hangs. */
const limitSeconds = 300

function refuse(text) {
  process.stderr.write(`chaos: ${text}\n`)
  process.exit(2)
}

for (const name of names)
  if (!(name in faults)) refuse(`no fault is '${name}': ${Object.keys(faults).join(', ')}`)
if (![undefined, 'loopback', 'lab'].includes(values.on)) refuse('--on is loopback or lab')
for (const name of ['rounds', 'seed', 'nodes'])
  if (!/^[1-9]\d{0,8}$/.test(values[name] ?? '1')) refuse(`--${name} is a whole number from 1 on`)

let failed = 0
for (let round = 1, seed = firstSeed; round <= rounds; round++, seed++) {
  const plan = planRound({ seed, names, most: 3, on: values.on })
  const planned = plan.strikes.map(({ name }) => name).join(', ')
  console.log(`round ${round}, seed ${seed}: ${count} nodes on ${plan.ground}: ${planned}`)
  const { lines, wrong } = await playRound({ plan, count, bytes, limitSeconds })
  for (const line of [...lines, ...wrong.map((text) => `  WRONG: ${text}`)]) console.log(line)
  if (wrong.length === 0) continue
  failed++
  const on = values.on === undefined ? [] : ['--on', values.on]
  const how = ['--nodes', count, '--size', size, '--faults', names.join(), ...on].join(' ')
  console.log(`  again: npm run chaos -- --rounds 1 --seed ${seed} ${how}`)
}
console.log(`${rounds - failed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
