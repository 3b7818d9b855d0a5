/** A push of a tree over transfers that are only played: what goes when, and to whom. */
import { describe, expect, it } from 'vitest'
import { FrError } from '../../../src/base/errors.js'
import { limits } from '../../../src/base/limits.js'
import type { RangePair } from '../../../src/base/ranges.js'
import type { Applied } from '../../../src/control/messages/types.js'
import type { Progress, PushResult } from '../../../src/control/view/push-view.js'
import type { TreeEntry } from '../../../src/protocol/listing.js'
import {
  type ContentAudience,
  type TreeContent,
  TreePush,
  type TreePushSpec,
} from '../../../src/session/trees/tree-push.js'
import type {
  AloneFile,
  TreeBatch,
  TreeBundle,
  TreeSource,
} from '../../../src/session/trees/tree-source.js'
import { outcomeOf, resultOf } from './played.js'

const tree = 'ab'.repeat(16)
const attributes = { mode: 0o644, mtimeSeconds: 1, mtimeNanos: 0 }
const options = {
  isAtomic: false,
  deletes: false,
  strict: false,
  owner: false,
  xattrs: false,
  acls: false,
  isDry: false,
}

function file(name: string, content: string, isAlone = false): TreeEntry {
  const digest = Buffer.from(content.padEnd(8, '.'))
  const size = content.length
  return {
    ...{ kind: 'file', name: Buffer.from(name), attributes, size, dataBytes: size },
    ...{ digest, at: null, isAlone },
  }
}

interface Sent {
  readonly which: string
  readonly entries: readonly TreeEntry[]
  readonly hasBytes: boolean
}

/** Batches of a tree; what is made of them is written down. */
class PlayedTree implements TreeSource {
  readonly wasSent: boolean
  readonly bundles = new Map<string, Sent>()
  /** Large files that are listed in the end. */
  readonly sent: string[] = []
  readonly failed = { count: 0, told: [] }
  readonly #batches: readonly (readonly TreeEntry[])[]
  open = 0
  mostOpen = 0
  isKept = false
  /** The last batch closes. */
  endsTogether = false
  isDisposed = false

  constructor(batches: readonly (readonly TreeEntry[])[], wasSent = false) {
    this.#batches = batches
    this.wasSent = wasSent
  }

  get counts() {
    const all = this.#batches.flat()
    return { entries: all.length, files: all.length, bytes: bytesOf(all) }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<TreeBatch> {
    const last = this.endsTogether ? this.#batches.length - 1 : undefined
    for (const [i, entries] of this.#batches.entries()) yield this.#batch(i, entries, i === last)
  }

  async *closing(): AsyncGenerator<TreeBatch> {
    if (!this.endsTogether) yield this.#batch(this.#batches.length, [], true)
  }

  async keep(): Promise<void> {
    this.isKept = true
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.isDisposed = true
  }

  #batch(bundle: number, entries: readonly TreeEntry[], isFinal: boolean): TreeBatch {
    this.mostOpen = Math.max(this.mostOpen, ++this.open)
    const make = async (which: string, some = entries): Promise<TreeBundle> => {
      const final = isFinal ? { bundles: bundle + 1, entries: this.counts.entries } : null
      const path = `${bundle}:${this.bundles.size}`
      this.bundles.set(path, { which, entries: some, hasBytes: which !== 'none' })
      const listing = { tree, bundle, final, options, isClosing: isFinal, entries: some }
      return { listing, path, alone: this.#alone(some), release: async () => {} }
    }
    return {
      ...{ isFinal, again: 0, bundledBytes: bytesOf(entries) },
      list: () => make('none'),
      pack: (wanted) => (wanted ? make('some', pick(entries, wanted)) : make('all')),
      release: async () => void this.open--,
    }
  }

  #alone(entries: readonly TreeEntry[]): Map<number, AloneFile> {
    const alone = new Map<number, AloneFile>()
    for (const [index, { name, ...entry }] of entries.entries())
      if (entry.kind === 'file' && entry.isAlone)
        alone.set(index, {
          ...{ path: Buffer.from(`alone:${name}`), name, digest: entry.digest },
          sent: async () => void this.sent.push(`${name}`),
        })
    return alone
  }
}

function bytesOf(entries: readonly TreeEntry[]): number {
  return entries.reduce((sum, entry) => sum + (entry.kind === 'file' ? entry.size : 0), 0)
}

function pick(entries: readonly TreeEntry[], ranges: readonly RangePair[]): TreeEntry[] {
  return ranges.flatMap(([from, length]) => entries.slice(from, from + length))
}

const addresses = ['10.0.0.1:7', '10.0.0.2:7', '10.0.0.3:7']

/** Nodes that hold files by name, and answer bundles as nodes do. */
class PlayedNodes {
  readonly held = new Map(addresses.map((node) => [node, new Map<string, string>()]))
  readonly sent: { path: string; to: readonly string[] }[] = []
  /** Nodes that fail in the transfer with this number. */
  readonly failing = new Map<number, string>()
  /** Names that no node can store. */
  readonly refused = new Set<string>()
  /** One of them says that it has the name. */
  isThere = false
  under = 0
  most = 0

  push(played: PlayedTree): (content: TreeContent, to: ContentAudience) => Promise<PushResult> {
    return async (content, audience) => {
      const path = Buffer.from(content.path as string).toString()
      const number = this.sent.length
      const to = content.nodes.map(({ address }) => address)
      this.sent.push({ path, to })
      this.most = Math.max(this.most, ++this.under)
      await new Promise((resolve) => setImmediate(resolve))
      this.under--
      const sent = played.bundles.get(path)
      const outcomes = to.map((node) => {
        if (this.failing.get(number) === node) return outcomeOf(node, 'ERR_FR_NODE_LOST')
        if (sent === undefined) this.#hold(node, `${content.name}`.slice('t/'.length), 'large')
        else audience.applied(node, this.#apply(node, sent))
        return outcomeOf(node, null)
      })
      return resultOf(outcomes)
    }
  }

  #hold(node: string, name: string, digest: string): void {
    this.held.get(node)?.set(name, digest)
  }

  #apply(node: string, { entries, hasBytes }: Sent): Applied {
    const lacks: RangePair[] = []
    const failed: Applied['failed'][number][] = []
    let [held, done] = [0, 0]
    for (const [index, entry] of entries.entries()) {
      const name = `${entry.name}`
      const isAlone = entry.kind === 'file' && entry.isAlone
      const digest = entry.kind === 'file' && !isAlone ? `${entry.digest}` : 'large'
      if (this.held.get(node)?.get(name) === digest) held++
      else if (this.refused.has(name)) failed.push({ index, code: 'ERR_FR_NAME', text: 'no' })
      else if (!hasBytes || isAlone) lacks.push([index, 1])
      else {
        this.#hold(node, name, digest)
        done++
      }
    }
    return { lacks, held, done, failed, failedCount: failed.length, warnings: [] }
  }
}

interface Told {
  plans: number
  nodes: string[]
  progress: Progress[]
}

function run(
  played: PlayedTree,
  nodes: PlayedNodes,
  spec: Partial<TreePushSpec> = {},
  push = nodes.push(played),
): { result: Promise<PushResult>; told: Told } {
  const told: Told = { plans: 0, nodes: [], progress: [] }
  const links = addresses.map((address) => ({ address }))
  const { signal } = new AbortController()
  const whole: TreePushSpec = {
    ...{ transfer: tree, name: Buffer.from('t'), nodes: links, strategy: 'adaptive' },
    ...{ timeoutMs: undefined, isDry: false, signal, ...spec },
  }
  const result = new TreePush(whole, {
    push,
    isThere: async () => nodes.isThere,
    plan: () => void told.plans++,
    progress: (progress) => void told.progress.push(progress),
    node: ({ node, status }) => void told.nodes.push(`${node} ${status}`),
  }).run(async () => played)
  return { result, told }
}

const batches = [
  [file('a', 'one'), file('b', 'two'), file('large', 'much more', true)],
  [file('c', 'three')],
  [file('d', 'four'), file('e', 'five')],
]
const bytes = 3 + 3 + 9 + 5 + 4 + 4

describe('a push of a tree', () => {
  it('brings all at once to nodes that hold nothing, large files by themselves', async () => {
    const [played, nodes] = [new PlayedTree(batches), new PlayedNodes()]
    const { result, told } = run(played, nodes)
    const { nodes: outcomes, tree: figures, ...whole } = await result
    expect([...played.bundles.values()].map(({ which }) => which)).toEqual([
      ...['all', 'all', 'all', 'all'],
    ])
    expect(nodes.sent.filter(({ path }) => path.startsWith('alone'))).toEqual([
      { path: 'alone:large', to: addresses },
    ])
    expect(nodes.sent.at(-1)?.path).toMatch(/^3:/)
    for (const held of nodes.held.values())
      expect([...held.keys()].sort()).toEqual([...'abcde', 'large'])
    expect(whole).toMatchObject({ transfer: tree, bytes, efficiency: null })
    expect(figures).toMatchObject({ entries: 6, transfers: 5, movedBytes: bytes, failedCount: 0 })
    for (const outcome of outcomes)
      expect(outcome).toMatchObject({
        ...{ status: 'complete', bytes, heldBytes: 0 },
        tree: { unchanged: 0, changed: 6, failedCount: 0, failures: [] },
      })
    expect(told.nodes.sort()).toEqual(addresses.map((node) => `${node} complete`))
    expect(told.progress.at(-1)?.nodes.map(({ state }) => state)).toEqual(
      addresses.map(() => 'complete'),
    )
    expect(played).toMatchObject({ open: 0, sent: ['large'], isKept: true, isDisposed: true })
  })

  it('moves nothing when it is pushed again', async () => {
    const nodes = new PlayedNodes()
    await run(new PlayedTree(batches), nodes).result
    const again = new PlayedTree(batches, true)
    const { nodes: outcomes, tree: figures } = await run(again, nodes).result
    expect([...again.bundles.values()].every(({ hasBytes }) => !hasBytes)).toBe(true)
    expect(figures).toMatchObject({ movedBytes: 0, transfers: 4 })
    expect(again.sent).toEqual(['large'])
    for (const outcome of outcomes)
      expect(outcome).toMatchObject({ heldBytes: bytes, tree: { unchanged: 6, changed: 0 } })
  })

  it('lists first what was never sent to nodes that have the name', async () => {
    const nodes = new PlayedNodes()
    nodes.isThere = true
    nodes.held.get(addresses[0] as string)?.set('a', 'one'.padEnd(8, '.'))
    const played = new PlayedTree([batches[0] ?? [], [file('c', 'three')]])
    const { tree: figures } = await run(played, nodes).result
    const made = [...played.bundles.values()].map(({ which, entries }) => [which, entries.length])
    expect(made).toEqual([
      ...[
        ['none', 3],
        ['none', 1],
        ['some', 2],
        ['some', 1],
        ['none', 0],
      ],
    ])
    expect(figures?.movedBytes).toBe(3 + 3 + 9 + 5)
  })

  it('brings what is lacked to those who lack it, and nothing else', async () => {
    const nodes = new PlayedNodes()
    await run(new PlayedTree(batches), nodes).result
    nodes.held.get(addresses[0] as string)?.delete('b')
    nodes.held.get(addresses[2] as string)?.delete('b')
    nodes.held.get(addresses[2] as string)?.delete('a')
    nodes.sent.length = 0
    const { nodes: outcomes, tree: figures } = await run(new PlayedTree(batches, true), nodes)
      .result
    const second = nodes.sent.filter(({ path }) => path.startsWith('0:'))[1]
    expect(second?.to).toEqual([addresses[0], addresses[2]])
    expect(figures?.movedBytes).toBe(6)
    expect(outcomes.map((one) => one.tree?.changed)).toEqual([1, 0, 2])
    expect(outcomes.map(({ heldBytes }) => bytes - heldBytes)).toEqual([3, 0, 6])
    expect(outcomes.map((one) => one.bytes)).toEqual([bytes, bytes, bytes])
  })

  it('tells in a dry run what would change where, and changes nothing', async () => {
    const nodes = new PlayedNodes()
    await run(new PlayedTree(batches), nodes).result
    nodes.held.get(addresses[0] as string)?.delete('b')
    nodes.held.get(addresses[2] as string)?.delete('b')
    nodes.held.get(addresses[2] as string)?.delete('large')
    const before = structuredClone(nodes.held)
    // As it would be with a tree that was never sent.
    const played = new PlayedTree(batches)
    const { nodes: outcomes, tree: figures } = await run(played, nodes, { isDry: true }).result
    expect([...played.bundles.values()].map(({ which }) => which)).toEqual(Array(4).fill('none'))
    expect(nodes.held).toEqual(before)
    expect(played).toMatchObject({ open: 0, sent: [], isKept: false })
    expect(figures).toMatchObject({
      movedBytes: 12,
      dry: {
        ...{ send: 2, set: 0, remove: 0 },
        changes: [
          { name: 'b', change: 'send', nodes: 2 },
          { name: 'large', change: 'send', nodes: 1 },
        ],
      },
    })
    expect(outcomes.map((one) => one.tree?.changed)).toEqual([1, 0, 2])
    expect(outcomes.map(({ heldBytes }) => bytes - heldBytes)).toEqual([3, 0, 12])
  })

  it('lists a batch that is too large for one bundle, and brings it in pieces', async () => {
    const large = (name: string): TreeEntry => {
      const size = limits.treeBatchBytes / 2
      return { ...file(name, name), size, dataBytes: size } as TreeEntry
    }
    const [played, nodes] = [new PlayedTree([['a', 'b', 'c'].map(large)]), new PlayedNodes()]
    played.endsTogether = true
    const { nodes: outcomes, tree: figures } = await run(played, nodes).result
    const made = [...played.bundles.values()].map(({ which, entries }) => [which, entries.length])
    expect(made).toEqual([
      ['none', 3],
      ['some', 2],
      ['some', 1],
    ])
    expect(figures?.movedBytes).toBe(1.5 * limits.treeBatchBytes)
    for (const { tree: own } of outcomes) expect(own).toMatchObject({ changed: 3, unchanged: 0 })
  })

  it('leaves out a node that fails, and tells of it at once', async () => {
    const [played, nodes] = [new PlayedTree(batches), new PlayedNodes()]
    nodes.failing.set(0, addresses[1] as string)
    const { result, told } = run(played, nodes)
    const { nodes: outcomes } = await result
    expect(told.nodes[0]).toBe(`${addresses[1]} failed`)
    expect(outcomes.map(({ status }) => status)).toEqual(['complete', 'failed', 'complete'])
    expect(outcomes[1]).toMatchObject({ code: 'ERR_FR_NODE_LOST', retryable: true })
    expect(nodes.sent.at(-1)?.to).toEqual([addresses[0], addresses[2]])
  })

  it('ends when no node is left, without the rest of the tree', async () => {
    const [played, nodes] = [new PlayedTree(batches), new PlayedNodes()]
    const lost = async (content: TreeContent): Promise<PushResult> =>
      resultOf(content.nodes.map(({ address }) => outcomeOf(address, 'ERR_FR_NODE_LOST')))
    const { nodes: outcomes } = await run(played, nodes, {}, lost).result
    expect(outcomes.every(({ status }) => status === 'failed')).toBe(true)
    expect(played.open).toBe(0)
    expect(played.bundles.size).toBeLessThanOrEqual(2)
  })

  it('names entries that are not in place, and goes on with the others', async () => {
    const [played, nodes] = [new PlayedTree(batches), new PlayedNodes()]
    nodes.refused.add('c')
    const { nodes: outcomes } = await run(played, nodes).result
    for (const outcome of outcomes)
      expect(outcome).toMatchObject({
        ...{ status: 'failed', code: 'ERR_FR_NAME', bytes: bytes - 5 },
        reason: 'ERR_FR_NAME: 1 entry is not in place: c: no',
        tree: { failedCount: 1, failures: [{ name: 'c', code: 'ERR_FR_NAME', text: 'no' }] },
      })
    expect([...(nodes.held.get(addresses[0] as string)?.keys() ?? [])]).toContain('e')
  })

  it('has two bundles under way at most, and closes after everything else', async () => {
    const many = Array.from({ length: 12 }, (_, i) => [file(`f${String(i).padStart(2, '0')}`, 'x')])
    const [played, nodes] = [new PlayedTree(many), new PlayedNodes()]
    await run(played, nodes).result
    expect(nodes.most).toBe(2)
    // One more is there, and waits for its turn.
    expect(played.mostOpen).toBeLessThanOrEqual(3)
    expect(nodes.sent.at(-1)?.path).toMatch(/^12:/)
    const together = new PlayedTree(many)
    together.endsTogether = true
    const others = new PlayedNodes()
    const { tree: figures } = await run(together, others).result
    expect([figures?.transfers, others.sent.at(-1)?.path]).toEqual([12, '11:11'])
  })

  it('fails as a whole where a transfer does, and gives every batch back', async () => {
    const [played, nodes] = [new PlayedTree(batches), new PlayedNodes()]
    const failure = new FrError('ERR_FR_SOURCE', 'gone')
    await expect(run(played, nodes, {}, () => Promise.reject(failure)).result).rejects.toBe(failure)
    expect(played.open).toBe(0)
  })

  it('is cancelled with the reason of the signal', async () => {
    const [played, nodes] = [new PlayedTree(batches), new PlayedNodes()]
    const abort = new AbortController()
    const reason = new Error('enough')
    const hanging = (_: TreeContent, __: ContentAudience, signal: AbortSignal) =>
      new Promise<PushResult>((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason))
        abort.abort(reason)
      })
    const { result } = run(played, nodes, { signal: abort.signal }, hanging as never)
    await expect(result).rejects.toBe(reason)
    expect(played).toMatchObject({ open: 0, isKept: false, isDisposed: true })
  })

  it('takes a node that says nothing of a bundle for one of another version', async () => {
    const [played, nodes] = [new PlayedTree(batches), new PlayedNodes()]
    const mute = async (content: TreeContent): Promise<PushResult> =>
      resultOf(content.nodes.map(({ address }) => outcomeOf(address, null)))
    const { nodes: outcomes } = await run(played, nodes, {}, mute).result
    for (const outcome of outcomes)
      expect(outcome).toMatchObject({ status: 'failed', code: 'ERR_FR_UNSUPPORTED' })
  })
})
