/**
 * Earlier versions of files, on both engines: after random histories, and whatever is cut off in
 * the middle of what, names and versions are those of a model.
 */
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { Storage } from '../../src/ports.js'
import { Catalogue } from '../../src/store/catalogue/catalogue.js'
import type { HeldStream } from '../../src/store/catalogue/record.js'
import { Holdings } from '../../src/store/held/holdings.js'
import { KeptFiles, type VersionRules } from '../../src/store/versions/kept-files.js'
import { engines } from './engines.js'
import { failsWith, type Store, storeOf } from './store.js'
import { randomOf } from './tree-source.js'
import { useWorld, type World } from './world.js'

const rules: VersionRules = { keep: 0, maxBytes: null, maxAgeMs: null, least: 0 }
const text = (name: string, content: number): string => `${name}:${'x'.repeat(content)}${content}`
const digestOf = (body: string): string => `blake3:${Buffer.from(body).toString('hex')}`
const shortOf = (body: string): string => Buffer.from(body).toString('hex')
const cut = new Error('cut off')

/** Stops for ever before or after the call of this number that changes something. */
class Fuse {
  calls = 0
  at = Number.POSITIVE_INFINITY
  isAfter = false

  async burn<T>(work: () => Promise<T>): Promise<T> {
    const n = this.calls++
    if (n > this.at || (n === this.at && !this.isAfter)) throw cut
    const done = await work()
    if (n === this.at) throw cut
    return done
  }

  guard<T extends object>(target: T, names: readonly string[]): T {
    return new Proxy(target, {
      get: (of, key) => {
        const value = Reflect.get(of, key)
        if (typeof value !== 'function') return value
        if (!names.includes(String(key))) return value.bind(of)
        return (...given: unknown[]) => this.burn(() => value.apply(of, given))
      },
    })
  }
}

const nodes: KeptNode[] = []

afterEach(async () => {
  for (const node of nodes.splice(0)) await node.close()
})

/** A node without a wire: one process after the other over one directory. */
class KeptNode {
  readonly store: Store
  readonly fuse = new Fuse()
  wallMs = 1_700_000_000_000
  nowMs = 5_000
  rules = rules
  files!: KeptFiles
  holdings!: Holdings
  #catalogue: Catalogue | undefined
  /** Of files that a journal would tell of. */
  readonly #published = new Map<string, { inode: number; record: (at: number) => HeldStream }>()
  #ids = 0

  constructor(store: Store) {
    this.store = store
  }

  static async on(world: World): Promise<KeptNode> {
    const node = new KeptNode(await storeOf(world))
    await node.start()
    nodes.push(node)
    return node
  }

  close(): Promise<void> {
    return this.#catalogue?.close() ?? Promise.resolve()
  }

  get storage(): Storage {
    return this.store.party.engine.storage
  }

  /** As a process that finds what the last one left. */
  async start(): Promise<void> {
    const { dir, data: dataDir } = this.store
    await this.#catalogue?.close()
    this.fuse.at = Number.POSITIVE_INFINITY
    this.#catalogue = await Catalogue.open(join(dataDir, '.fastreplica'))
    const catalogue = this.fuse.guard(this.#catalogue, ['put', 'remove', 'refresh'])
    const storage = this.fuse.guard(this.storage, ['placeEntries', 'publish'])
    const log = () => {}
    this.holdings = new Holdings({ storage, dir, catalogue: () => catalogue, log })
    await this.#recordPublished()
    this.files = new KeptFiles({
      ...{ storage, dir, dataDir, holdings: this.holdings, rules: this.rules, log },
      wallMs: () => this.wallMs,
      nowMs: () => this.nowMs,
    })
    await this.files.load(false)
  }

  /** As unrecorded.ts does. */
  async #recordPublished(): Promise<void> {
    for (const [name, { inode, record }] of this.#published) {
      const path = join(this.store.data, name)
      if (!existsSync(path) || statSync(path).ino !== inode) continue
      if (this.holdings.catalogue?.get(Buffer.from(name))?.identity.inode === String(inode))
        continue
      const file = await this.storage.openHeld(this.store.dir, Buffer.from(name))
      const identity = await this.storage.identityOf(file)
      this.storage.closeFile(file)
      await this.holdings.put({ ...record(this.wallMs), identity }, [])
    }
    this.#published.clear()
  }

  /** As FilePublication does. */
  async push(name: string, content: number, keep?: number): Promise<void> {
    const { store, storage } = this
    const body = text(name, content)
    const id = `p${this.#ids++}`
    const bytes = Buffer.from(name)
    const file = await store.create(id, Buffer.from(body))
    const { inode } = await storage.identityOf(file)
    const record = (atMs: number): HeldStream => recordOf(bytes, id, body, atMs)
    this.#published.set(name, { inode: Number(inode), record })
    const replacing = await this.files.replacing(bytes, digestOf(body), keep)
    let isThere = false
    try {
      await this.fuse.burn(() => store.publish(file, id, { name: bytes }))
      isThere = true
      const identity = await storage.identityOf(file)
      await this.holdings.put({ ...record(this.wallMs), identity }, [])
    } finally {
      storage.closeFile(file)
      await (isThere ? replacing.done() : replacing.undo())
    }
    if (this.fuse.calls <= this.fuse.at) this.#published.delete(name)
  }

  /** As FilePublication does where nodes are to switch together. */
  async land(name: string, content: number): Promise<void> {
    const { store, storage } = this
    const body = text(name, content)
    const id = `p${this.#ids++}`
    const file = await store.create(id, Buffer.from(body))
    const version = await this.files.beside(Buffer.from(name))
    try {
      const attributes = { mode: 0o644, mtime: { seconds: 1_600_000_000, nanos: 0 } }
      await version.give({ file, id, name: version.name, ...attributes, noClobber: false })
      const identity = await storage.identityOf(file)
      const record = recordOf(version.name, id, body, this.wallMs)
      await this.holdings.put({ ...record, identity }, [])
    } finally {
      storage.closeFile(file)
      await version.done()
    }
  }

  rollBack(name: string, version: string): Promise<unknown> {
    return this.files.rollBack(Buffer.from(name), version, async () => true)
  }

  async removeName(name: string): Promise<void> {
    await this.files.removeAll(Buffer.from(name))
    await this.fuse.burn(() => this.storage.remove(this.store.dir, Buffer.from(name)))
    await this.holdings.catalogue?.remove(Buffer.from(name))
  }

  /** What a reader finds: the content of the name, and those of its versions, newest first. */
  async seen(name: string): Promise<State> {
    const bytes = Buffer.from(name)
    const path = join(this.store.data, name)
    const present = existsSync(path) ? readFileSync(path, 'utf8') : null
    const record = this.holdings.catalogue?.get(bytes)
    expect(record && (await this.#read(record))).toBe(present ?? undefined)
    const kept: string[] = []
    for (const version of this.files.of(bytes)) kept.push(await this.#read(version.record))
    return { present, kept }
  }

  async #read(record: HeldStream): Promise<string> {
    const file = await this.holdings.openUnchanged(record)
    if (file === undefined) return `${Buffer.from(record.name)} is not what it was`
    this.storage.closeFile(file)
    const body = readFileSync(join(this.store.data, Buffer.from(record.name).toString()), 'utf8')
    expect(digestOf(body)).toBe(record.fileDigest)
    return body
  }

  /** Files in the hidden directory for versions. */
  get left(): string[] {
    const path = join(this.store.data, '.fastreplica/versions')
    const keys = existsSync(path) ? readdirSync(path) : []
    return keys.flatMap((key) => readdirSync(join(path, key)).filter((file) => /^\d+$/.test(file)))
  }
}

const never = { seconds: 0, nanos: 0 }

function recordOf(name: Buffer | Uint8Array, id: string, body: string, atMs: number): HeldStream {
  return {
    ...{ name, contentId: Buffer.from(id).toString('hex').padStart(32, '0') },
    ...{ author: 'ab'.repeat(32), algorithm: 'blake3', blockBytes: 65_536, size: body.length },
    ...{ dataBytes: body.length, fileDigest: digestOf(body), mode: 0o644, publishedAtMs: atMs },
    ...{ verifiedAtMs: 0, via: 'push', mtime: { seconds: 1_600_000_000, nanos: 0 } },
    identity: { size: 0, mtime: never, ctime: never, inode: '' },
  }
}

interface State {
  readonly present: string | null
  /** Newest first. */
  readonly kept: readonly string[]
}

interface Step {
  readonly name: string
  readonly next: State
  readonly run: (node: KeptNode) => Promise<unknown>
}

const nothing: State = { present: null, kept: [] }

/** What somebody does with a name, and what is there then. */
function stepOf(random: (below: number) => number, model: ReadonlyMap<string, State>): Step {
  const name = random(3) === 0 ? 'd/b' : 'a'
  const state = model.get(name) ?? nothing
  const { present, kept } = state
  const kind = random(8)
  const at = random(4)
  if (present !== null && kind === 0 && random(2) === 0)
    return { name, next: nothing, run: (node) => node.removeName(name) }
  if (kind <= 1 && kept[at] !== undefined) {
    const next = { present, kept: kept.filter((_, index) => index !== at) }
    return { name, next, run: (node) => node.files.remove(Buffer.from(name), `-${at + 1}`) }
  }
  if (kind <= 4 && present !== null && kept[at] !== undefined) {
    const body = kept[at]
    const next = { present: body, kept: [present, ...kept.filter((one) => one !== body)] }
    const version = random(2) === 0 ? `-${at + 1}` : shortOf(body)
    return { name, next, run: (node) => node.rollBack(name, version) }
  }
  const content = random(7)
  const keep = random(4) + 1
  const body = text(name, content)
  const others = kept.filter((one) => one !== body)
  const all = present === null || present === body ? others : [present, ...others]
  return {
    name,
    next: { present: body, kept: all.slice(0, keep) },
    run: (node) => node.push(name, content, keep),
  }
}

describe.each(engines)('earlier versions of files on the $kind engine', (engine) => {
  const world = useWorld(engine)

  it('are those of a model after any history', async () => {
    const node = await KeptNode.on(world)
    const model = new Map<string, State>()
    const random = randomOf(16)
    for (let n = 0; n < 40; n++) {
      const { name, next, run } = stepOf(random, model)
      await run(node)
      model.set(name, next)
      if (random(10) === 0) await node.start()
      for (const [of, state] of model) expect(await node.seen(of)).toEqual(state)
    }
    const count = [...model.values()].reduce((sum, { kept }) => sum + kept.length, 0)
    expect(node.left.length).toBe(count)
  })

  it('are those before or after a step that was cut off anywhere', async () => {
    const node = await KeptNode.on(world)
    const model = new Map<string, State>()
    const random = randomOf(61)
    let cuts = 0
    for (let n = 0; n < 60; n++) {
      const { name, next, run } = stepOf(random, model)
      const before = model.get(name) ?? nothing
      node.fuse.at = node.fuse.calls + random(9)
      node.fuse.isAfter = random(2) === 0
      await run(node).catch((error: unknown) => {
        if (error !== cut) throw error
      })
      if (node.fuse.calls > node.fuse.at) cuts++
      await node.start()
      const found = await node.seen(name)
      expect([before.present, next.present]).toContain(found.present)
      // Whatever was there before is there, but what was to go; nothing else has come.
      const all = [found.present, ...found.kept]
      const may = [before.present, ...before.kept, next.present, ...next.kept]
      expect(may).toEqual(expect.arrayContaining(all))
      if (next.present !== null)
        for (const body of next.kept) if (body !== found.present) expect(all).toContain(body)
      expect(new Set(all).size).toBe(all.length)
      model.set(name, found)
    }
    expect(cuts).toBeGreaterThan(25)
    const count = [...model.values()].reduce((sum, { kept }) => sum + kept.length, 0)
    expect(node.left.length).toBe(count)
  })

  it('come beside what has the name, whatever is cut off, and take it in one step', async () => {
    const node = await KeptNode.on(world)
    const [old, next] = [text('a', 0), text('a', 1)]
    await node.push('a', 0)
    for (let at = 0; at < 6; at++) {
      node.fuse.at = node.fuse.calls + at
      node.fuse.isAfter = at % 2 === 0
      await node.land('a', 1).catch((error: unknown) => {
        if (error !== cut) throw error
      })
      await node.start()
      const { present, kept } = await node.seen('a')
      expect(present).toBe(old)
      expect([[], [next]]).toContainEqual(kept)
      expect(node.left.length).toBe(kept.length)
    }
    // The same again is one version, and a name that was not there is taken as well.
    for (let n = 0; n < 2; n++) await node.land('a', 1)
    expect(await node.seen('a')).toEqual({ present: old, kept: [next] })
    const giveBack = node.files.use(node.files.of(Buffer.from('a'))[0]?.record as HeldStream)
    await node.files.trim(Buffer.from('a'))
    await node.rollBack('a', shortOf(next))
    expect(await node.seen('a')).toEqual({ present: next, kept: [old] })
    giveBack()
    await node.files.trim(Buffer.from('a'))
    expect(await node.seen('a')).toEqual({ present: next, kept: [] })
    await node.land('d/b', 2)
    expect(await node.seen('d/b')).toEqual({ present: null, kept: [text('d/b', 2)] })
    await node.rollBack('d/b', shortOf(text('d/b', 2)))
    expect(await node.seen('d/b')).toEqual({ present: text('d/b', 2), kept: [] })
  })

  it('stay as long as they are used, and age by clocks that nobody sets', async () => {
    const node = await KeptNode.on(world)
    node.rules = { ...rules, keep: 9, maxAgeMs: 1_000, least: 1 }
    await node.start()
    for (let content = 0; content < 5; content++) await node.push('a', content)
    const used = node.files.of(Buffer.from('a'))[2]?.record as HeldStream
    const giveBack = node.files.use(used)
    // Somebody sets the clock, years ahead and back: this process does not mind.
    for (const wallMs of [9_000_000_000_000, 1_000]) {
      node.wallMs = wallMs
      await node.files.evict()
      expect((await node.seen('a')).kept.length).toBe(4)
    }
    node.nowMs += 1_001
    await node.files.evict()
    const left = [3, 1].map((content) => text('a', content))
    expect((await node.seen('a')).kept).toEqual(left)
    giveBack()
    giveBack()
    // The next process knows no better, and goes down to the floor.
    node.wallMs = 9_000_000_000_000
    await node.start()
    await node.files.evict()
    expect((await node.seen('a')).kept).toEqual(left.slice(0, 1))
    node.wallMs = 1_000
    await node.start()
    await node.files.evict(1)
    expect((await node.seen('a')).kept).toEqual(left.slice(0, 1))
  })

  it('go with versions of something else, the oldest of all first', async () => {
    const node = await KeptNode.on(world)
    node.rules = { ...rules, keep: 9 }
    await node.start()
    for (let content = 0; content < 3; content++) await node.push('a', content)
    let isThere = true
    const other = {
      ...{ key: 'b/', name: Buffer.from('b'), number: 1, fileDigest: 'tree:', bytes: 5 },
      ...{ ageMs: 9_000_000, isUsed: false },
      drop: async () => {
        isThere = false
        return true
      },
    }
    node.files.join({ evictable: async () => (isThere ? [other] : []) })
    await node.files.evict()
    expect(isThere).toBe(true)
    await node.files.evict(1)
    expect([isThere, (await node.seen('a')).kept.length]).toEqual([false, 2])
    await node.files.evict(1)
    expect((await node.seen('a')).kept.length).toBe(1)
  })

  it('are no files that somebody else has changed, and none of another kind', async () => {
    const node = await KeptNode.on(world)
    for (const content of [0, 1, 2]) await node.push('a', content, 3)
    const path = (name: string): string => join(node.store.data, name)
    // What was edited is not kept, as nobody knows what it is.
    writeFileSync(path('a'), 'edited')
    await node.push('a', 3)
    expect((await node.seen('a')).kept).toEqual([1, 0].map((content) => text('a', content)))
    const [last] = node.files.of(Buffer.from('a'))
    const wrong = node.files.rollBack(Buffer.from('a'), '-1', async () => false)
    await expect(wrong).rejects.toEqual(failsWith('ERR_FR_DIGEST'))
    await expect(node.rollBack('a', '-9')).rejects.toEqual(failsWith('ERR_FR_NOT_HELD'))
    await expect(node.rollBack('a', 'ffffff')).rejects.toEqual(failsWith('ERR_FR_NOT_HELD'))
    // All contents of one name begin alike here.
    const short = Buffer.from('a:xx').toString('hex').slice(0, 6)
    await node.push('a', 4)
    await expect(node.rollBack('a', short)).rejects.toEqual(failsWith('ERR_FR_NAME'))
    const removed = node.files.remove(Buffer.from('a'), shortOf(text('a', 4)))
    await expect(removed).rejects.toEqual(failsWith('ERR_FR_NAME'))
    const hidden = path(Buffer.from(last?.record.name ?? []).toString())
    writeFileSync(hidden, 'edited')
    await node.start()
    expect((await node.seen('a')).kept.map((body) => body.length)).toEqual([6, 3])
  })
})
