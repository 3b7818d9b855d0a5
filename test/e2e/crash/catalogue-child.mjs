/**
 * Changes the catalogue in a directory by the first groups of steps.mjs, and says how many steps
 * have begun and resolved: `begun N`, `done N`. Arguments: the directory, the number of groups.
 */
import { writeSync } from 'node:fs'
import { Catalogue } from '../../../dist/store/catalogue/catalogue.js'
import { groups } from './steps.mjs'

const [path, count] = process.argv.slice(2)
const catalogue = await Catalogue.open(path)
let steps = 0
for (const group of groups.slice(0, Number(count))) {
  steps += group.length
  writeSync(1, `begun ${steps}\n`)
  await Promise.all(group.map((step) => step(catalogue)))
  writeSync(1, `done ${steps}\n`)
}
await catalogue.close()
