/**
 * Simulated pushes (test/sim), many of them or one again.
 *
 *   npm run sim                   20,000 seeds
 *   npm run sim -- --seeds N      the seeds 1 to N
 *   npm run sim -- --seed N       one seed
 *   npm run sim -- --plant NAME --seed N   the same with a planted bug (src/sim/planted.ts)
 */
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'

const text = { type: 'string' }
const { plant, ...values } = parseArgs({ options: { seed: text, seeds: text, plant: text } }).values
for (const [name, value] of Object.entries(values)) {
  if (/^[1-9]\d{0,8}$/.test(value)) continue
  console.error(`--${name} is a whole number from 1 on, not '${value}'`)
  process.exit(2)
}
const env = { ...process.env, FR_SIM_SEEDS: values.seeds ?? process.env.FR_SIM_SEEDS ?? '20000' }
if (values.seed !== undefined) env.FR_SIM_SEED = values.seed
if (plant !== undefined) env.FR_SIM_PLANT = plant
const files = plant === undefined ? [] : ['test/sim/planted.test.ts']
const { status } = spawnSync('npx', ['vitest', 'run', '--project', 'sim', ...files], {
  stdio: 'inherit',
  env,
})
process.exit(status ?? 1)
