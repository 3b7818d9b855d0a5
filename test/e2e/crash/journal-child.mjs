/** Appends one block after another to a journal, going on with it twice; says `done BLOCKS`. */
import { writeSync } from 'node:fs'
import { Journal } from '../../../dist/store/journal/journal.js'
import { identity } from './steps.mjs'

const [path, headerJson] = process.argv.slice(2)
const plain = JSON.parse(headerJson)
const header = { ...plain, name: Buffer.from(plain.name) }
const { blockBytes } = header
const look = async () => identity
let done = 0
for (let round = 0; round < 3; round++) {
  const journal = await (round === 0
    ? Journal.create(path, header, look)
    : Journal.resume(path, look))
  for (let i = 0; i < 3; i++) {
    const digests = new Uint8Array(8).fill(done + 1)
    await journal.append({ runs: [{ offset: done * blockBytes, length: blockBytes, digests }] })
    done++
    writeSync(1, `done ${done}\n`)
  }
  await journal.close()
}
