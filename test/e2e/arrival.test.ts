/** Where bytes land, when others are at the leftovers of the node too. */
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openEngine } from '../../src/agent/engines.js'
import { hiddenDir } from '../../src/base/names.js'
import type { StreamEntry } from '../../src/control/messages/types.js'
import type { DataDirHandle, DataEngine, FileIdentity } from '../../src/ports.js'
import { type Arrival, type ArrivalSpec, arrive } from '../../src/session/receiver/arrival.js'
import type { NodeHost } from '../../src/session/receiver/node-host.js'
import { Journal } from '../../src/store/journal/journal.js'
import { Leftovers, type WantedContent } from '../../src/store/leftovers.js'
import { Partial } from '../../src/store/partial.js'
import { engines } from './engines.js'
import { until, useWorld } from './push-support.js'

const name = new Uint8Array(Buffer.from('name'))
const blockBytes = 65_536
/** Nothing has this name. */
const catalogue = { get: () => undefined }
const wanted: WantedContent = {
  contentId: '01'.repeat(16),
  author: 'ab'.repeat(32),
  algorithm: 'xxh64',
  blockBytes,
  size: 4 * blockBytes,
}

describe.each(engines)('what an earlier transfer left (%s engine)', (kind) => {
  const world = useWorld(kind)
  let engine: DataEngine
  let dir: DataDirHandle
  let hidden: string
  let leftovers: Leftovers
  const opened: Partial[] = []

  beforeEach(async () => {
    const dataDir = world.dataDir()
    engine = (await openEngine(kind, () => {})).engine
    dir = await engine.storage.openDataDir(dataDir)
    hidden = join(dataDir, hiddenDir)
    mkdirSync(join(hidden, 'journals'))
    leftovers = new Leftovers(engine.storage, dir, hidden)
  })
  afterEach(async () => {
    for (const partial of opened.splice(0)) await partial.release(false, () => {})
    await until(() => engine.counters().openFiles === 0, 'no file is open')
    await engine.shutdown()
  })

  async function left(id: string, content = wanted, isKilled = false): Promise<void> {
    engine.storage.closeFile(await engine.storage.createPartial(dir, id, content.size))
    await until(() => engine.counters().openFiles === 0, 'it is closed')
    await written(id, content, isKilled)
  }

  /** A journal takes the place of the one that was there. */
  async function written(id: string, content: WantedContent, isKilled = false): Promise<void> {
    const header = { ...content, name, transfer: id.slice(0, 32) }
    const digests = new Uint8Array(content.algorithm === 'sha256' ? 32 : 8)
    const { file } = await engine.storage.openSource(join(hidden, 'partials', id))
    const identity = await engine.storage.identityOf(file)
    engine.storage.closeFile(file)
    const path = join(hidden, 'journals', id)
    const journal = await Journal.create(path, header, async () => identity)
    await journal.append({ runs: [{ offset: 0, length: blockBytes, digests }] })
    if (!isKilled) await journal.leave()
    await journal.close()
  }

  /** `meanwhile` is done once a leftover was found. */
  async function arrival(
    transfer: string,
    meanwhile: () => Promise<unknown> = async () => {},
    host = { storage: engine.storage, dir, store: { leftovers, catalogue } } as unknown as NodeHost,
  ): Promise<{ partial: Partial; found: Arrival }> {
    const entry = { mode: 0o644, mtimeSeconds: 0, mtimeNanos: 0 } as StreamEntry
    const partial = new Partial(engine.storage, dir, name, { transfer, entry, noClobber: false })
    opened.push(partial)
    let isFirst = true
    const requireSpace = async (): Promise<void> => {
      if (isFirst) await meanwhile()
      isFirst = false
    }
    const about = { name, visibleName: name, fileDigest: null, isStrict: false, isSparse: false }
    const spec: ArrivalSpec = { wanted, entry, ...about, requireSpace }
    return { partial, found: await arrive(host, partial, spec) }
  }

  const [first, second] = ['1'.repeat(32), '2'.repeat(32)]

  it('is one of two receptions that want it', async () => {
    await left('x')
    let other: Awaited<ReturnType<typeof arrival>> | undefined
    const { partial, found } = await arrival(first, async () => {
      other = await arrival(second)
    })
    expect(other?.partial.id).toBe('x')
    expect(other?.found.held).toMatchObject([{ offset: 0, length: blockBytes }])
    expect(found).toEqual({ journal: 'none' })
    expect(partial.id).toBe(`${first}.name`)
    // It stays the journal of the other one.
    expect(readdirSync(join(hidden, 'journals'))).toEqual(['x'])
  })

  it('counts as it is when it is opened, not as it was found', async () => {
    await left('x')
    const another = { ...wanted, contentId: '02'.repeat(16) }
    const { found } = await arrival(first, () => written('x', another))
    expect(found).toMatchObject({ journal: 'another', candidates: [{ offset: 0 }] })
    expect(found.held).toBeUndefined()
  })

  it('has to be read once somebody else has changed it', async () => {
    await left('x')
    const partial = join(hidden, 'partials', 'x')
    const { mtimeMs, ctimeMs } = statSync(partial)
    await until(() => {
      writeFileSync(partial, 'edited', { flag: 'r+' })
      utimesSync(partial, new Date(), mtimeMs / 1000)
      return statSync(partial).ctimeMs > ctimeMs
    }, 'it has another time')
    const { found } = await arrival(first)
    expect(found).toMatchObject({ journal: 'ours', held: [], unread: [{ offset: 0 }] })
  })

  it('has what its node wrote right before it was killed', async () => {
    await left('x', wanted, true)
    const partial = join(hidden, 'partials', 'x')
    // At the time of the batch, whenever this test comes to it.
    const { mtimeMs } = statSync(join(hidden, 'journals', 'x'))
    const before = statSync(partial)
    const at = Math.max(mtimeMs, before.mtimeMs)
    const { storage } = engine
    const host = {
      ...{ dir, store: { leftovers, catalogue } },
      storage: new Proxy(storage, {
        get: (target, key) => {
          const value = Reflect.get(target, key) as (...values: unknown[]) => unknown
          if (key !== 'identityOf') return value.bind(target)
          const time = { seconds: Math.floor(at / 1000) + 1, nanos: 0 }
          return async (...values: unknown[]) => ({
            ...((await value.apply(target, values)) as FileIdentity),
            ...{ mtime: time, ctime: time },
          })
        },
      }),
    } as unknown as NodeHost
    const { found } = await arrival(first, async () => {}, host)
    expect(found).toMatchObject({ journal: 'ours', held: [{ offset: 0 }], unread: [] })
  })

  it('of another content has to be read too', async () => {
    await left('x', { ...wanted, contentId: '02'.repeat(16) })
    const partial = join(hidden, 'partials', 'x')
    copyFileSync(partial, `${partial}.copy`)
    renameSync(`${partial}.copy`, partial)
    const { found } = await arrival(first)
    const expected = { journal: 'another', candidates: [], unreadCandidates: [{ offset: 0 }] }
    expect(found).toMatchObject(expected)
  })

  it('is not removed with its name while another name opens it', async () => {
    await left('x')
    const { storage } = engine
    let removed: number | undefined
    const partial = new Partial(
      new Proxy(storage, {
        get: (target, key) => {
          const value = Reflect.get(target, key) as (...values: unknown[]) => unknown
          if (key !== 'openPartial') return value.bind(target)
          return async (...values: unknown[]) => {
            // Whoever removes has listed it before it was opened.
            removed = await leftovers.removeNamed(name)
            return value.apply(target, values)
          }
        },
      }),
      dir,
      new Uint8Array(Buffer.from('other')),
      { transfer: first, entry: {} as StreamEntry, noClobber: false },
    )
    opened.push(partial)
    const host = { storage, dir, store: { leftovers, catalogue } } as unknown as NodeHost
    const about = { name, visibleName: name, fileDigest: null, isStrict: false, isSparse: false }
    const entry = { mode: 0o644, mtimeSeconds: 0, mtimeNanos: 0 } as StreamEntry
    const found = await arrive(host, partial, {
      ...{ ...about, wanted, entry },
      requireSpace: async () => {},
    })
    expect(removed).toBe(0)
    expect(found).toMatchObject({ journal: 'ours', held: [{ offset: 0 }] })
    expect(readdirSync(join(hidden, 'partials'))).toContain('x')
  })

  it('may be gone when it is opened', async () => {
    await left('x')
    const { found } = await arrival(first, async () => {
      await engine.storage.discard(dir, 'x')
      await leftovers.drop('x')
    })
    expect(found).toEqual({ journal: 'none' })
  })

  it('says nothing of a new partial of the same transfer', async () => {
    const id = `${first}.name`
    await left(id, { ...wanted, algorithm: 'sha256', size: blockBytes })
    await arrival(first)
    // A process that is killed now has written nothing down yet.
    expect(readdirSync(join(hidden, 'partials'))).toContain(id)
    expect(readdirSync(join(hidden, 'journals'))).toEqual([])
  })

  it('and another file of the node give a byte once: a repair stays', async () => {
    const { partial } = await arrival(first)
    const path = join(hidden, 'other')
    writeFileSync(path, 'o'.repeat(wanted.size))
    const { file } = await engine.storage.openSource(path)
    partial.copyFrom([file])
    partial.toBring([[0, wanted.size]])
    await partial.bring({ offset: 0, length: blockBytes })
    const partials = join(hidden, 'partials')
    writeFileSync(join(partials, `${partial.id}.scratch`), 'r'.repeat(wanted.size))
    await partial.copyIn({ offset: 0, length: blockBytes })
    await partial.bring({ offset: 0, length: 2 * blockBytes })
    const content = readFileSync(join(partials, partial.id), 'latin1').replaceAll('\0', '')
    expect(content).toBe('r'.repeat(blockBytes) + 'o'.repeat(blockBytes))
  })
})
