/**
 * Has a node added to a push that runs, as a program does that is there already: `addNode` of the
 * library, the moment a line on standard input says so. `adder.mjs KEY-FILE`; the line is the JSON
 * of { transfer, node, via }.
 */
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { addNode } from '../../dist/api/index.js'

const key = readFileSync(process.argv[2], 'utf8')
const lines = createInterface({ input: process.stdin })
process.stdout.write('ready\n')
for await (const line of lines) {
  const { transfer, node, via } = JSON.parse(line)
  await addNode(transfer, node, { via, key })
  break
}
lines.close()
