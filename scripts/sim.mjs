/**
 * Simulated pushes (test/sim), many of them or one again.
 *
 *   npm run sim                   20,000 seeds
 *   npm run sim -- --seeds N      the seeds 1 to N
 *   npm run sim -- --seed N       the one that failed
 */
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'

const { values } = parseArgs({ options: { seed: { type: 'string' }, seeds: { type: 'string' } } })
for (const [name, value] of Object.entries(values)) {
  if (/^[1-9]\d{0,8}$/.test(value)) continue
  console.error(`--${name} is a whole number from 1 on, not '${value}'`)
  process.exit(2)
}
const env = { ...process.env, FR_SIM_SEEDS: values.seeds ?? process.env.FR_SIM_SEEDS ?? '20000' }
if (values.seed !== undefined) env.FR_SIM_SEED = values.seed
const { status } = spawnSync('npx', ['vitest', 'run', '--project', 'sim'], {
  stdio: 'inherit',
  env,
})
process.exit(status ?? 1)
