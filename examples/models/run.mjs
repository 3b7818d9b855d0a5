/**
 * A model, loaded by one node, had by a fleet of nodes, and read at each of them by the client of
 * the model hub, which knows nothing of any of this:
 *
 *   node examples/models/run.mjs [NODES] [DIR]
 *
 * By default there are eight nodes, and a model of 32 MiB is made up; DIR is one of yours. Needs
 * `npm install @huggingface/hub`.
 */
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { snapshotDownload } from '@huggingface/hub'
import { generateKey, push, startNode } from 'fastreplica'
import { openDoor } from 'fastreplica/http'

const nodeCount = Number(process.argv[2] ?? 8)
const directory = mkdtempSync(join(tmpdir(), 'fr-models-'))
const source = process.argv[3] === undefined ? madeUp() : resolve(process.argv[3])
const key = generateKey()
const repo = 'team/tiny'
// The client says what it downloads.
console.debug = () => {}

function madeUp() {
  const path = join(directory, 'tiny')
  mkdirSync(path)
  writeFileSync(join(path, 'config.json'), JSON.stringify({ model_type: 'tiny' }))
  for (const part of [1, 2])
    writeFileSync(join(path, `model-0000${part}-of-00002.safetensors`), randomBytes(16 * 2 ** 20))
  return path
}

/** SHA-256 of the files below a directory, by their names. */
function sumsOf(path) {
  const sums = {}
  for (const name of readdirSync(path, { recursive: true }).sort()) {
    const file = join(path, name)
    try {
      sums[name] = createHash('sha256').update(readFileSync(file)).digest('hex')
    } catch (error) {
      if (error.code !== 'EISDIR') throw error
    }
  }
  return JSON.stringify(sums)
}

const nodes = []
try {
  for (let n = 1; n <= nodeCount; n++) {
    const dataDir = join(directory, `node-${n}`)
    mkdirSync(dataDir)
    const node = await startNode({ listen: '127.0.0.1:0', dataDir, key })
    const door = await openDoor({ node }, { listen: '127.0.0.1:0', key })
    nodes.push({ node, door })
  }
  const to = nodes.map(({ node }) => node.address)
  const result = await push(source, { to, key, as: repo, atomic: true, sha256: true }).result
  const complete = result.nodes.filter(({ status }) => status === 'complete').length
  console.log(`${repo}: complete at ${complete} of ${nodeCount} nodes`)
  if (complete < nodeCount) throw new Error(JSON.stringify(result.nodes))
  const wanted = sumsOf(source)
  const commits = await Promise.all(
    nodes.map(async ({ door }, at) => {
      const hubUrl = `http://${door.address}`
      const snapshot = await snapshotDownload({
        ...{ repo, hubUrl },
        cacheDir: join(directory, `cache-${at + 1}`),
      })
      if (sumsOf(snapshot) !== wanted) throw new Error(`${snapshot} is not what was pushed`)
      return snapshot.slice(snapshot.lastIndexOf('/') + 1)
    }),
  )
  const [commit] = commits
  const same = commits.filter((one) => one === commit).length
  console.log(`read at ${same} of ${nodeCount} nodes, commit ${commit}`)
} finally {
  for (const { door, node } of nodes) {
    await door.close()
    await node.close()
  }
  rmSync(directory, { recursive: true, force: true })
}
