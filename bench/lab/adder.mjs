/**
 * Adds a node to a running push with `addNode` of the library, as soon as a line arrives on
 * standard input. A process that is already running measures no start-up. `adder.mjs KEY-FILE`; the
 * line is JSON of { transfer, node, via }.
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
