/**
 * Runs inside a project that installed the tarball: the library by import and by require, one push
 * through the native engine, byte for byte, by the addon that was shipped, and a clean end of the
 * process.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as imported from 'fastreplica'

const required = createRequire(import.meta.url)('fastreplica')
assert.equal(required.push, imported.push)
assert.equal(typeof imported.startNode, 'function')

const dir = mkdtempSync(join(tmpdir(), 'fr-package-'))
try {
  const bytes = randomBytes(3 * 1024 * 1024 + 1)
  const key = randomBytes(32)
  const source = join(dir, 'source.bin')
  writeFileSync(source, bytes)
  const nodes = []
  for (const name of ['one', 'two']) {
    const dataDir = mkdtempSync(join(dir, name))
    const options = { listen: '127.0.0.1:0', dataDir, key, engine: 'native' }
    nodes.push({ dataDir, node: await imported.startNode(options) })
  }
  const to = nodes.map(({ node }) => node.address)
  const result = await imported.push(source, { to, key, engine: 'native' }).result
  assert.deepEqual(
    result.nodes.map((node) => node.status),
    ['complete', 'complete'],
  )
  for (const { dataDir, node } of nodes) {
    assert.ok(readFileSync(join(dataDir, 'source.bin')).equals(bytes))
    await node.close()
  }
  const addons = process.report.getReport().sharedObjects.filter((path) => path.endsWith('.node'))
  assert.equal(addons.length, 1)
  assert.match(addons[0], /\/node_modules\/fastreplica\/prebuilds\/[^/]+\/[^/]+\.node$/)
  console.log(`pushed ${bytes.length} bytes to ${nodes.length} nodes`)
} finally {
  rmSync(dir, { recursive: true, force: true })
}
