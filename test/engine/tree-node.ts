/** Trees at a node for the tests of an engine: bundles come as an origin sends them. */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { TreeRules } from '../../src/base/tree-rules.js'
import type { Applied } from '../../src/control/messages/applied.js'
import type { Storage } from '../../src/ports.js'
import type { Listing, TreeEntry } from '../../src/protocol/listing.js'
import { fileDigestOf } from '../../src/session/file-digest.js'
import type { Catalogue } from '../../src/store/catalogue/catalogue.js'
import { Holdings } from '../../src/store/held/holdings.js'
import { Trees } from '../../src/store/trees/trees.js'
import { TreeUses } from '../../src/store/trees/uses.js'
import { type Store, storeOf } from './store.js'
import { options, pack, scan, stateOf, together } from './tree-source.js'
import type { World } from './world.js'

export const treeName = Buffer.from('t')
const batchEntries = 12

/** A node with a tree, without a wire, and the source of the tree. */
export class TreeNode {
  readonly store: Store
  trees: Trees
  readonly source: string
  clocks: { wallMs: () => number; nowMs: () => number } | undefined
  uses = new TreeUses()
  /** Undefined: it has no records of files. */
  catalogue: Catalogue | undefined
  pushed = 0
  pushes = 0

  private constructor(world: World, store: Store) {
    this.store = store
    this.trees = this.treesOn(store.party.engine.storage)
    this.source = join(world.root, world.name())
    mkdirSync(this.source)
  }

  static async on(world: World): Promise<TreeNode> {
    return new TreeNode(world, await storeOf(world))
  }

  /** As after a restart of the process. */
  treesOn(storage: Storage, keep?: number): Trees {
    const { dir, data: dataDir, party } = this.store
    const { engine } = party
    const log = () => {}
    const holdings = new Holdings({ storage, dir, catalogue: () => this.catalogue, log })
    return new Trees({
      ...{ storage, dir, dataDir, holdings, log, uses: this.uses },
      ...(keep !== undefined && { keep }),
      ...(this.clocks !== undefined && { clocks: this.clocks }),
      work: {
        author: '',
        freshId: () => '',
        sign: () => [],
        sum: ({ algorithm, size, blockBytes }, digests) =>
          fileDigestOf(engine, algorithm, size, blockBytes, digests),
        hash: async function* (file, { size, blockBytes, algorithm }) {
          const range = { offset: 0, length: size }
          const digests = engine.hashNow(file, range, blockBytes, algorithm)
          if (digests !== undefined) yield { ...range, digests }
        },
      },
    })
  }

  get root(): string {
    return join(this.store.data, 't')
  }

  async apply(bytes: Buffer): Promise<Applied> {
    return (await this.bring(bytes))()
  }

  /** Resolves to what applies the bundle, which takes its turn at once. */
  async bring(bytes: Buffer): Promise<() => Promise<Applied>> {
    const { storage } = this.store.party.engine
    const id = `bundle-${this.pushed++}`
    const file = await this.store.create(id, bytes)
    const bundle = { id, file, bytes: bytes.length, name: treeName, originId: 'o' }
    return async () => {
      try {
        return await this.trees.apply({ ...bundle, algorithm: 'xxh64' })
      } finally {
        storage.closeFile(file)
        await storage.discard(this.store.dir, id)
      }
    }
  }

  /**
   * As an origin sends it: listings first where the node held something, then what is lacking;
   * every second time the last batch closes. Resolves to what the node said of each bundle.
   */
  async push(given = options, rules?: TreeRules): Promise<{ said: Applied[]; sentFiles: number }> {
    const [isTogether, isFresh] = [this.pushes++ % 2 === 0, !existsSync(this.root)]
    const { first, closing, bytes } = await scan(this.source, this.store.party.engine)
    const tree = randomBytes(16).toString('hex')
    const said: Applied[] = []
    let [bundle, sentFiles] = [0, 0]
    const names = new Set([...first, ...closing].map(({ name }) => Buffer.from(name).toString()))
    const head = { tree, options: given, final: null, isClosing: false }
    for (let at = 0; at < first.length; at += batchEntries) {
      const own = first.slice(at, at + batchEntries)
      const isLast = isTogether && at + batchEntries >= first.length
      const entries = isLast ? together(own, closing) : own
      const listing: Listing = { ...head, bundle: bundle++, entries }
      const end = { isClosing: true, final: { bundles: bundle, entries: names.size } }
      const whole = isLast ? { ...listing, ...end, ...(rules && { rules }) } : listing
      const looked = await this.apply(pack(whole, bytes, () => isFresh))
      said.push(looked)
      const isFile = ({ kind }: TreeEntry): boolean => kind === 'file'
      if (isFresh) sentFiles += entries.filter(isFile).length
      const lacked = looked.lacks.flatMap(([from, count]) => entries.slice(from, from + count))
      sentFiles += lacked.filter(isFile).length
      if (lacked.length > 0) {
        const isSent = (entry: TreeEntry): boolean =>
          lacked.includes(entry) || (isLast && entry.kind === 'directory')
        const some = { ...whole, entries: entries.filter(isSent) }
        said.push(await this.apply(pack(some, bytes, () => true)))
      }
      if (isLast) return { said, sentFiles }
    }
    const final = { bundles: bundle + 1, entries: names.size }
    const last: Listing = {
      ...{ ...head, bundle, final, isClosing: true, entries: closing },
      ...(rules && { rules }),
    }
    said.push(await this.apply(pack(last, bytes, () => false)))
    return { said, sentFiles }
  }

  expectEqual(): void {
    expect(stateOf(realpathSync(this.root))).toEqual(stateOf(this.source))
    expect(readdirSync(join(this.store.data, '.fastreplica/staging'))).toEqual([])
    expect(readdirSync(join(this.store.data, '.fastreplica/partials'))).toEqual([])
  }
}

export const failures = (said: readonly Applied[]) => said.flatMap(({ failed }) => failed)
export const sumOf = (said: readonly Applied[], of: 'held' | 'done') =>
  said.reduce((sum, applied) => sum + applied[of], 0)
