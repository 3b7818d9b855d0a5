/** A node that is killed between the publication of a file and its record. */
import { existsSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { copy, type PushOptions, push, pushStream } from '../../src/api/index.js'
import { MIB } from '../../src/base/limits.js'
import { Catalogue } from '../../src/store/catalogue/catalogue.js'
import { granuleMs } from '../../src/store/held/identity.js'
import { usualEngines } from './engines.js'
import { expectCopies, until, useWorld } from './push-support.js'

const preload = new URL('crash/stop-before-record.mjs', import.meta.url).href

describe.each(usualEngines)('a file that a killed %s node had published', (engine) => {
  const world = useWorld(engine)

  /** The directory of such a node, which holds `data.bin`. */
  async function killed(bytes: number, more: Partial<PushOptions> = {}) {
    const child = await world.childNode({ NODE_OPTIONS: `--import ${preload}` })
    const { path, content } = world.file('data.bin', bytes)
    if (more.compress !== undefined) {
      content.fill('bytes that say little, again and again')
      writeFileSync(path, content)
    }
    const isOld = () => Date.now() - statSync(path).ctimeMs > granuleMs + 50
    await until(isOld, 'its time stamps can be trusted')
    const other = await world.node()
    const known = await push(path, { to: [other.address], engine }).result
    const to = [child.address]
    const result = await push(path, { to, engine, retries: 0, ...more }).result
    expect(result.nodes[0]?.status).toBe('failed')
    expect(result.coding).toBe(more.compress ?? 'identity')
    await child.ended
    const { dataDir } = child
    expectCopies(content, 'data.bin', [child])
    return { dataDir, path, content, known }
  }

  const journals = (dataDir: string) => readdirSync(join(dataDir, '.fastreplica/journals'))

  const ways: [number, Partial<PushOptions>][] = [
    [MIB, {}],
    [9 * MIB + 5, {}],
  ]
  // Who decodes nothing is sent the content as it is.
  if (engine === 'native') ways.push([9 * MIB + 5, { compress: 'zstd' }])

  it.each(ways)('is known to the next one (%i bytes, %j)', async (bytes, more) => {
    const { dataDir, path, known } = await killed(bytes, more)
    const node = await world.node({ dataDir })
    const { held, kept } = node.status()
    expect(held).toMatchObject({ files: 1, bytes })
    // What was decoded may be left, if there was time for a journal of it, and nothing else.
    expect(kept.files).toBeLessThanOrEqual(more.compress === undefined ? 0 : 1)
    expect(journals(dataDir)).toHaveLength(kept.files)
    const again = await push(path, { to: [node.address], engine, as: 'data.bin' }).result
    expect(again.nodes[0]).toMatchObject({ reason: null, heldBytes: bytes })
    expect(again.originBytesSent).toBe(0)
    await node.close()
    const catalogue = await Catalogue.open(join(dataDir, '.fastreplica'))
    expect(catalogue.list()).toMatchObject([{ fileDigest: known.digest, via: 'push' }])
    await catalogue.close()
  })

  it('is known to the next one where it was still written when it came', async () => {
    const eu = { attributes: { site: 'eu' } }
    const child = await world.childNode({ NODE_OPTIONS: `--import ${preload}` }, undefined, eu)
    const { content } = world.file('whole', 3 * MIB + 1)
    const stream = new PassThrough()
    const only = 'site=eu'
    const options = { to: [child.address], as: 'data.bin', engine, retries: 0, rejoinMs: 0, only }
    const transfer = pushStream(stream.end(content), { ...options, silenceMs: 6_000 })
    expect((await transfer.result).nodes[0]?.status).toBe('failed')
    await child.ended
    const node = await world.node({ ...eu, dataDir: child.dataDir })
    await until(() => node.status().held.files === 1, 'it is recorded')
    const others = [await world.node(eu), await world.node()] as const
    const to = others.map(({ address }) => address)
    const { nodes } = await copy('data.bin', { from: node.address, to, rejoinMs: 0 }).result
    expect(nodes).toMatchObject([{ status: 'complete' }, { code: 'ERR_FR_ONLY' }])
    expectCopies(content, 'data.bin', [others[0]])
  })

  it('is not, once somebody else has written to it or replaced it', async () => {
    const { dataDir } = await killed(MIB)
    const path = join(dataDir, 'data.bin')
    expect(existsSync(path)).toBe(true)
    writeFileSync(path, 'edited', { flag: 'r+' })
    utimesSync(path, 1_500_000_000, 1_500_000_000)
    const node = await world.node({ dataDir })
    expect(node.status().held.files).toBe(0)
    await until(() => journals(dataDir).length === 0, 'its journal is gone')
  })
})
