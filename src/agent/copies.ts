/**
 * The copies of a node: pushes whose origin it is because a client asked for them. Any file or tree
 * that it holds can be their source; the digests go out as their author signed them.
 *
 * A copy ends when its client hangs up, unless the client said that it would. Results are kept for
 * those who ask later, some of them and for some time.
 */
import type { DigestAlgorithm } from '../base/digests.js'
import { FrError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { Logger } from '../base/log.js'
import type { RateLimits } from '../base/rate-limits.js'
import { nowMs } from '../base/time/awake.js'
import type { CopyGroups, CopyWish } from '../control/messages/copying.js'
import type { GroupWish, SiteLink } from '../control/plan/layout.js'
import type { NodeLink } from '../control/plan/plan.js'
import type { PushResult } from '../control/view/push-view.js'
import type { Dialler } from '../net/dial.js'
import type { TreeFiles } from '../ports/tree-files.js'
import type { DataEngine, HashPool, SourceFile, Storage } from '../ports.js'
import { decodeName } from '../protocol/manifest.js'
import type { PushAudience, RunHooks } from '../session/coordinator/attempt.js'
import { attempts } from '../session/coordinator/name-wait.js'
import { PushRun } from '../session/coordinator/push-run.js'
import type { PushHooks, PushSpec } from '../session/coordinator/push-spec.js'
import type { FeedPlaces } from '../session/driver/feed-places.js'
import type { TransferStatus } from '../session/receiver/transfer-status.js'
import type { EngineRouter } from '../session/router.js'
import type { DigestRun, HeldStream } from '../store/catalogue/record.js'
import { atFirst } from '../store/disks/at-first.js'
import type { Holdings } from '../store/held/holdings.js'
import type { HeldTrees } from '../store/trees/held-trees.js'
import type { TreeRecord } from '../store/trees/tree-record.js'
import type { KeptFiles } from '../store/versions/kept-files.js'
import { Copy, resultJson } from './copy.js'
import type { EndedTransfers } from './ended.js'
import { openHeldSource } from './held-source.js'
import { copyTree, requireTreeWish } from './tree-copy.js'

/** What may have the file or tree. */
export interface CopySource {
  readonly storage: Storage
  readonly holdings: Holdings
  readonly trees: Pick<HeldTrees, 'hold' | 'meant' | 'open'>
  readonly versions: Pick<KeptFiles, 'meant' | 'use'>
  readonly dataDir: string
}

export interface CopiesSpec {
  readonly engine: DataEngine
  readonly router: EngineRouter
  readonly pool: HashPool
  /** Of this name, the most likely first; null: of a content, whatever it is called. */
  readonly sources: (name: Uint8Array | null) => readonly CopySource[]
  /** What reads trees. */
  readonly files: () => Promise<TreeFiles>
  readonly dialler: (connectMs: number) => Dialler
  /** What all transfers of this node together may use. */
  readonly ownRates: () => RateLimits
  /** The data connections that the node sends on. */
  readonly places: FeedPlaces
  readonly log: Logger
  /** Is told of those that are over. */
  readonly ended: EndedTransfers
}

export class Copies {
  readonly #spec: CopiesSpec
  readonly #running = new Map<string, Copy>()
  /** Oldest first. */
  readonly #over = new Map<string, Copy>()

  constructor(spec: CopiesSpec) {
    this.#spec = spec
  }

  /**
   * Begins a copy, which `asker` ends unless it is detached. Rejects with ERR_FR_NOT_HELD,
   * ERR_FR_CATALOGUE, ERR_FR_UNSUPPORTED for what came in a tree, ERR_FR_BUSY for a transfer that
   * exists, ERR_FR_LIMIT.
   */
  async start(wish: CopyWish, asker: AbortSignal): Promise<void> {
    const { transfer } = wish
    if (this.#running.has(transfer) || this.#over.has(transfer))
      throw new FrError('ERR_FR_BUSY', 'this transfer is known here already')
    if (this.#running.size >= limits.copiesPerNode)
      throw new FrError('ERR_FR_LIMIT', `the node makes ${this.#running.size} copies already`)
    const copy = new Copy(wish)
    this.#running.set(transfer, copy)
    try {
      const name = wish.name && decodeName(wish.name)
      const push = await atFirst(this.#spec.sources(name), (at) => this.#open(copy, at, asker))
      void this.#carryOut(copy, push, asker)
    } catch (error) {
      this.#running.delete(transfer)
      await copy.carryOut(Promise.reject(error))
      throw error
    }
  }

  /** Opens what is to be copied; whoever gets the push runs it, which closes that. */
  async #open(copy: Copy, at: CopySource, asker: AbortSignal): Promise<() => Promise<PushResult>> {
    const { wish } = copy
    const tree = await this.#openTree(at, wish)
    if (tree !== undefined) return () => this.#pushTree(copy, at, tree)
    const record = await this.#find(at, wish)
    const { storage } = at
    const runs = await at.holdings.catalogue?.runs(record)
    const source = await openHeldSource(at.holdings, storage, at.dataDir, record)
    try {
      copy.signal.throwIfAborted()
      if (!wish.detach) asker.throwIfAborted()
    } catch (error) {
      storage.closeFile(source.file)
      throw error
    }
    return () => this.#push(copy, at, { record, runs: runs ?? [], source })
  }

  /**
   * Resolves to the result of a copy. Rejects with what it failed by, the reason of the signal, or
   * ERR_FR_NO_TRANSFER.
   */
  async follow(
    transfer: string,
    tell: (json: string) => void,
    signal: AbortSignal,
  ): Promise<string> {
    this.#forgetOld()
    const copy = this.#running.get(transfer) ?? this.#over.get(transfer)
    if (copy === undefined)
      throw new FrError('ERR_FR_NO_TRANSFER', `the node knows no copy ${transfer}`)
    const unfollow = copy.follow(tell)
    signal.addEventListener('abort', unfollow, { once: true })
    try {
      return resultJson(await copy.result)
    } finally {
      unfollow()
      signal.removeEventListener('abort', unfollow)
    }
  }

  /** Has a node added to a copy; undefined when it is none of these. */
  add(transfer: string, link: NodeLink): Promise<void> | undefined {
    return this.#running.get(transfer)?.add(link)
  }

  isRunning(transfer: string): boolean {
    return this.#running.has(transfer)
  }

  get views(): TransferStatus[] {
    return [...this.#running.values()].map((copy) => copy.view())
  }

  /** Ends all; resolves when nothing of them is open. */
  async stop(): Promise<void> {
    const copies = [...this.#running.values()]
    for (const copy of copies) copy.abort(new FrError('ERR_FR_NODE_CLOSED', 'the node is closing'))
    await Promise.allSettled(copies.map((copy) => copy.result))
  }

  async #find(
    { holdings, versions, trees }: CopySource,
    { name, content }: CopyWish,
  ): Promise<HeldStream> {
    const { catalogue } = holdings
    const record =
      name !== null
        ? versions.meant(decodeName(name))
        : content && catalogue?.withDigest(content.fileDigest, content.bytes)
    if (record) return record
    const bytes = name && decodeName(name)
    if (bytes && (await trees.meant(bytes)) !== undefined) {
      const text = `${JSON.stringify(name.name)} came in a tree: copy the tree`
      throw new FrError('ERR_FR_UNSUPPORTED', text)
    }
    const what = name === null ? 'a file of this content' : JSON.stringify(name.name)
    throw new FrError('ERR_FR_NOT_HELD', `the node does not hold ${what}`)
  }

  /** Undefined: it is not the name of a tree. */
  async #openTree(
    { trees, versions }: CopySource,
    wish: CopyWish,
  ): Promise<OpenedTree | undefined> {
    const name = wish.name && decodeName(wish.name)
    const isFile = name !== null && versions.meant(name) !== undefined
    const { tree, row } = (name !== null && !isFile && (await trees.meant(name))) || {}
    if (tree === undefined || row !== undefined) return undefined
    requireTreeWish(wish)
    const record = await trees.open(tree)
    return record && { name: tree, record }
  }

  async #pushTree(
    copy: Copy,
    { holdings, dataDir, trees }: CopySource,
    { name, record }: OpenedTree,
  ): Promise<PushResult> {
    const { engine, files } = this.#spec
    const { wish, audience, signal } = copy
    this.#tell(wish)
    audience.running(() => {
      const text = 'nodes cannot be added to a copy of a tree'
      return Promise.reject(new FrError('ERR_FR_UNSUPPORTED', text))
    })
    const giveBack = trees.hold(name)
    try {
      const only = onlyOf(record.only, wish.only)
      return await copyTree({
        ...{ engine, holdings, dataDir, wish, tree: name, record, only, audience, signal },
        files: await files(),
        dialler: this.#pushSpec(wish, 'blake3').dialler,
        push: (source, { known, ...content }, heard, applied, over) => {
          const spec = { ...this.#pushSpec(wish, content.algorithm), ...content, known, only }
          return this.#attempts(source, spec, heard, { applied }, over)
        },
      })
    } finally {
      giveBack()
      await record.close()
    }
  }

  /** Never rejects. */
  async #carryOut(copy: Copy, push: () => Promise<PushResult>, asker: AbortSignal): Promise<void> {
    const { wish } = copy
    const hungUp = (): void =>
      copy.abort(new FrError('ERR_FR_ABORTED', 'whoever asked for the copy hung up'))
    if (!wish.detach) asker.addEventListener('abort', hungUp, { once: true })
    if (!wish.detach && asker.aborted) hungUp()
    await copy.carryOut(push())
    asker.removeEventListener('abort', hungUp)
    this.#running.delete(wish.transfer)
    copy.overMs = nowMs()
    this.#spec.ended.add(await copy.ending())
    this.#over.set(wish.transfer, copy)
    this.#forgetOld()
  }

  async #push(
    copy: Copy,
    { versions, holdings }: CopySource,
    { record, runs, source }: OpenedFile,
  ): Promise<PushResult> {
    const { wish, audience, signal } = copy
    this.#tell(wish)
    const giveBack = versions.use(record)
    try {
      const { contentId, algorithm, fileDigest, author } = record
      const known = { fileDigest, author, signed: runs }
      const only = onlyOf(record.only, wish.only)
      const spec = { ...this.#pushSpec(wish, algorithm), contentId, known, only }
      const { attributes } = wish
      const described = attributes === null ? source : { ...source, ...fileAttributes(attributes) }
      const changed = (): void => void holdings.drop(record, 'changed')
      return await this.#attempts(described, spec, audience, { changed }, signal)
    } finally {
      this.#spec.engine.storage.closeFile(source.file)
      giveBack()
    }
  }

  #tell({ transfer, as }: CopyWish): void {
    this.#spec.log({ level: 'info', event: 'copying', fields: { transfer, name: as.name } })
  }

  #attempts(
    source: SourceFile,
    spec: PushSpec,
    audience: PushAudience,
    heard: Pick<PushHooks, 'changed' | 'applied'>,
    signal: AbortSignal,
  ): Promise<PushResult> {
    const { engine, router, pool } = this.#spec
    const make = (one: PushSpec, hooks: RunHooks): PushRun =>
      new PushRun(engine, router, pool, source, one, { ...hooks, ...heard })
    return attempts(make, spec, audience, signal)
  }

  #pushSpec(wish: CopyWish, algorithm: DigestAlgorithm): Omit<PushSpec, 'contentId' | 'known'> {
    const { transfer, strategy, shape, nodes, noClobber, strict, allowAdd } = wish
    const { connectMs, silenceMs, retries, rejoinMs, wait } = wish
    const own = this.#spec.dialler(connectMs)
    const { signer } = own.self
    const dialler = wish.sealed ? { ...own, self: { ...own.self, seal: 'required' as const } } : own
    const limited = {
      timeoutMs: wish.timeoutMs ?? undefined,
      minRateBytesPerSecond: wish.minRateBytesPerSecond ?? undefined,
      originUplinkBytesPerSecond: wish.uplinkBytesPerSecond ?? undefined,
    }
    return {
      ...{ transfer, algorithm, signer, strategy, shape, name: decodeName(wish.as) },
      ...{ nodes, noClobber, strict, allowAdd, connectMs, silenceMs, retries, rejoinMs, wait },
      ...limited,
      ...(wish.demoteBelowPpm !== undefined && { demoteBelow: wish.demoteBelowPpm / 1e6 }),
      ...(wish.detection && { detection: wish.detection }),
      ...(wish.share && { share: wish.share }),
      groups: { ...groupsOf(wish.groups), ...originFeeds(this.#spec.places) },
      ...(wish.relays && { relays: wish.relays }),
      ownRates: this.#spec.ownRates(),
      places: this.#spec.places,
      dialler,
      log: this.#spec.log,
    }
  }

  #forgetOld(): void {
    for (const [transfer, { overMs }] of this.#over) {
      const isOld = nowMs() - (overMs ?? 0) > limits.copyKeptMs
      if (isOld || this.#over.size > limits.copiesKept) this.#over.delete(transfer)
    }
  }
}

interface OpenedFile {
  readonly record: HeldStream
  readonly runs: readonly DigestRun[]
  readonly source: SourceFile
}

interface OpenedTree {
  readonly name: Uint8Array
  readonly record: TreeRecord
}

/** Throws ERR_FR_ONLY: what is only for some is not copied for others. */
function onlyOf(own: string | undefined, wished: string | undefined): string | undefined {
  if (own === undefined || wished === undefined || own === wished) return own ?? wished
  throw new FrError('ERR_FR_ONLY', `the node holds this content only for: ${own}`)
}

/** One place is left for what somebody turns out to lack. */
function originFeeds({ most }: FeedPlaces): Pick<GroupWish, 'originFeeds'> {
  return Number.isFinite(most) ? { originFeeds: Math.max(1, most - 1) } : {}
}

function groupsOf({ siteLinks = [], ...groups }: CopyGroups = {}): GroupWish {
  const links = siteLinks.map(({ from, to, bytesPerSecond, sealed }): SiteLink => {
    return { sites: [from, to], bytesPerSecond, ...(sealed === true && { isSealed: true }) }
  })
  return { ...groups, siteLinks: links }
}

function fileAttributes({
  mode,
  mtimeSeconds,
  mtimeNanos,
}: NonNullable<CopyWish['attributes']>): Pick<SourceFile, 'mode' | 'mtime'> {
  return { mode, mtime: { seconds: mtimeSeconds, nanos: mtimeNanos } }
}
