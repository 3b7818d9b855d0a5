/**
 * A master and twelve nodes at three sites, on this machine and in this process: one node is given
 * three files, and all that are to hold them have them copied over the links that are cheapest.
 *
 *   node examples/wan/run.mjs [MEGABYTES]
 *
 * The links have no more than what topology.yaml says; 8 MB are there after some seconds.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { client, createMaster, generateKey, push, startNode } from 'fastreplica'

const megabytes = Number(process.argv[2] ?? 8)
if (!(megabytes > 0 && megabytes <= 1_000)) {
  console.error('usage: node examples/wan/run.mjs [MEGABYTES]    (up to 1000)')
  process.exit(2)
}
const here = dirname(fileURLToPath(import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'fr-wan-'))
const key = generateKey()
const running = []

async function start(starting) {
  const one = await starting
  running.push(one)
  return one
}

async function startNodes(master) {
  const nodes = []
  for (const site of ['ams', 'fra', 'sin'])
    for (const number of [1, 2, 3, 4]) {
      const name = `${site}-${number}`
      const where = { listen: '127.0.0.1:0', dataDir: join(directory, name) }
      nodes.push(await start(startNode({ ...where, name, attributes: { site }, master, key })))
    }
  return nodes
}

/** Resolves when every node has all that the sets want there. */
async function converged(master) {
  for (;;) {
    const told = []
    for await (const set of client.sets(master, { key })) told.push(set)
    const said = told.map(({ set, complete, nodes }) => `${set}: ${complete} of ${nodes} nodes`)
    console.log(said.join(', '))
    if (told.every(({ missingFiles, unknown }) => missingFiles + unknown.length === 0)) return
    await pause(500)
  }
}

try {
  const documents = { topology: join(here, 'topology.yaml'), sets: join(here, 'sets') }
  const where = { listen: '127.0.0.1:0', dataDir: join(directory, 'master') }
  const { address } = await start(createMaster({ ...where, ...documents, key }))
  console.log(`fr plan --via ${address} would show what is copied; its key is in this process`)
  const [first] = await startNodes(address)
  for (const [name, share] of [
    ['models/large.bin', 0.6],
    ['models/small.bin', 0.1],
    ['maps/world.bin', 0.3],
  ]) {
    const source = join(directory, 'source')
    writeFileSync(source, Buffer.alloc(Math.ceil(share * megabytes * 1e6), name))
    await push(source, { to: [first.address], as: name, key }).result
  }
  await converged(address)
  for await (const { kind, name, bytes, cost } of client.links(address, { key }))
    if (kind === 'link' && bytes > 0)
      console.log(`${name}: ${(bytes / 1e6).toFixed(1)} MB, ${cost.toFixed(5)} of cost`)
  const { text } = await client.explain(address, 'sin-1', 'maps/world.bin', { key })
  console.log(`sin-1 and maps/world.bin: ${text}`)
} finally {
  for (const one of running.reverse()) await one.close()
  rmSync(directory, { recursive: true, force: true })
}
