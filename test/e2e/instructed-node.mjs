/**
 * A node that copies by order, without the face of one. As a program it carries out the orders of
 * its arguments (engine, directory, orders in JSON), says what it holds of each content as JSON in
 * lines, and serves until it is killed.
 */
import { pathToFileURL } from 'node:url'
import { openDataDirs } from '../../dist/agent/data-dirs.js'
import { openEngine } from '../../dist/agent/engines.js'
import { NodeService } from '../../dist/agent/node-service.js'
import { checkNode } from '../../dist/api/options.js'
import { WorkerHashPool } from '../../dist/engine/hashing/pool.js'
import { selfOf, signerOf } from '../../dist/net/crypto.js'
import { nodeKey } from '../../dist/store/identity.js'

/**
 * @param {'native' | 'portable'} kind
 * @param {string} dataDir
 * @param {Partial<import('../../src/api/index.js').NodeOptions>} more
 * @returns {Promise<{
 *   service: import('../../src/agent/node-service.js').NodeService
 *   nodeId: string
 *   close: () => Promise<void>
 * }>}
 */
export async function openService(kind, dataDir, { logger: log = () => {}, ...more } = {}) {
  const { engine, router } = await openEngine(kind, log)
  const { storage } = engine
  const pool = new WorkerHashPool()
  const { dirs, missing } = await openDataDirs(storage, [dataDir], false)
  const checked = checkNode({ listen: '127.0.0.1:0', minFreeBytes: 0, ...more, dataDir })
  const { key } = await nodeKey(dataDir)
  const self = { ...selfOf(signerOf(key)), ...checked.claims }
  const service = new NodeService({
    ...{ ...checked, engine, router, pool, dirs, missing, log, self },
    ...{ isReadOnly: false, isRelayOnly: false },
    ...{ authorize: undefined, peers: undefined, privileges: undefined },
    audience: { accept: undefined, offered: () => {}, published: () => {}, failed: () => {} },
    ...{ statusJson: () => '{}', describe: () => ({}) },
  })
  await service.listen()
  const close = async () => {
    await service.close()
    await pool.close()
    for (const { dir } of dirs) storage.closeDataDir(dir)
    await engine.shutdown()
  }
  return { service, nodeId: self.nodeId, close }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [kind, dataDir, orders] = process.argv.slice(2)
  const { service } = await openService(kind, dataDir)
  service.instructed.held.onChange((change) => console.log(JSON.stringify(change)))
  const copies = service.instructed.copies({ ended: () => {} })
  for (const order of JSON.parse(orders)) copies.start(order)
}
