/**
 * One push of a tree: a sequence of transfers, each an ordinary push of one content.
 *
 * The idea: a bundle is answered with what nodes lack of it. As long as they held nothing, the next
 * bundle brings the bytes at once; as soon as somebody held something, or has the name of the
 * tree, listings go ahead without bytes, and what is lacked follows to those who lack it. Files
 * that are too large for bundles go by themselves. A node that fails is left out of what follows:
 * no later bundle could make good what it missed, and it would delete by a list that it has not
 * seen.
 *
 * Never: more than two bundles and four large files under way, or closing bundles before all else
 * has ended.
 */
import { bytesOfHex } from '../../base/bytes.js'
import { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { nameBelow } from '../../base/names.js'
import { type RangePair, RangeSet } from '../../base/ranges.js'
import { nowMs } from '../../base/time/awake.js'
import { Turns } from '../../base/time/turns.js'
import type { Applied, NamedFailure, NodeOutcome, TreePart } from '../../control/messages/types.js'
import type { NodeLink } from '../../control/plan/plan.js'
import type { Plan, Progress, PushResult } from '../../control/view/push-view.js'
import {
  addResult,
  nodeOutcome,
  noSums,
  type TreeFacts,
  type TreeTransfer,
  treeProgress,
  treeResult,
} from '../../control/view/tree-view.js'
import type { Listing } from '../../protocol/listing.js'
import { DryRun } from './dry-run.js'
import { lacking, piecesOf } from './lacks.js'
import { type Listed, listedOf } from './listed.js'
import { nameText } from './names.js'
import { TreeNode } from './tree-node.js'
import type { AloneFile, TreeBatch, TreeBundle, TreeSource } from './tree-source.js'

/** One content of the tree, and who is to have it. */
export interface TreeContent {
  readonly path: string | Uint8Array
  readonly name: Uint8Array
  readonly part: TreePart
  readonly nodes: readonly NodeLink[]
  readonly timeoutMs: number | undefined
}

export interface ContentAudience {
  readonly plan: (plan: Plan) => void
  readonly progress: (progress: Progress) => void
  readonly applied: (node: string, applied: Applied) => void
}

export interface TreePorts {
  /** Pushes one content. Rejects where the push as a whole fails, or with the signal's reason. */
  readonly push: (
    content: TreeContent,
    audience: ContentAudience,
    signal: AbortSignal,
  ) => Promise<PushResult>
  /** Whether a node has something of the name, as far as is soon known. Never rejects. */
  readonly isThere: (signal: AbortSignal) => Promise<boolean>
  readonly plan: (plan: Plan) => void
  readonly progress: (progress: Progress) => void
  readonly node: (outcome: NodeOutcome) => void
}

export interface TreePushSpec {
  readonly transfer: string
  /** At the nodes. */
  readonly name: Uint8Array
  readonly nodes: readonly NodeLink[]
  readonly strategy: PushResult['strategy']
  readonly timeoutMs: number | undefined
  /** Nodes are asked what would change, and nothing does. */
  readonly isDry: boolean
  readonly signal: AbortSignal
}

const progressMs = 250

/** `warn` takes sentences for the result. */
export type OpenTree = (signal: AbortSignal, warn: (text: string) => void) => Promise<TreeSource>

export class TreePush {
  readonly #spec: TreePushSpec
  readonly #ports: TreePorts
  readonly #nodes: readonly TreeNode[]
  readonly #bundleTurns = new Turns(limits.treeBundlesAtOnce)
  readonly #fileTurns = new Turns(limits.treeFilesAtOnce)
  readonly #tasks = new Set<Promise<unknown>>()
  readonly #running = new Set<{ bytes: number; progress?: Progress; isOver: boolean }>()
  readonly #startMs = nowMs()
  readonly #over = new AbortController()
  readonly #signal: AbortSignal
  /** What is over, as one. */
  #past: TreeTransfer = { bytes: 0, isOver: true }
  #sums = noSums
  #movedBytes = 0
  #transfers = 0
  #hasPlan = false
  /** Nodes held nothing of what they were last offered. */
  #isFresh = true
  /** A node has the name. */
  #isThere: Promise<boolean> = Promise.resolve(false)
  readonly #failed: Promise<never>
  /** Large files that were not what they had been when they were listed. */
  #failedCount = 0
  readonly #failures: NamedFailure[] = []
  readonly #warnings = new Set<string>()
  readonly #dry: DryRun | undefined
  /** As they were told. */
  readonly #outcomes = new Map<TreeNode, NodeOutcome>()

  constructor(spec: TreePushSpec, ports: TreePorts) {
    this.#spec = spec
    this.#ports = ports
    this.#dry = spec.isDry ? new DryRun() : undefined
    this.#nodes = spec.nodes.map((link) => new TreeNode(link))
    this.#signal = AbortSignal.any([spec.signal, this.#over.signal])
    this.#failed = new Promise((_resolve, reject) => {
      const end = (): void => reject(this.#signal.reason)
      this.#signal.addEventListener('abort', end, { once: true })
      if (this.#signal.aborted) end()
    })
    // Whoever waits for something is told of it.
    this.#failed.catch(() => {})
  }

  /**
   * `open` opens the tree; its signal is aborted when the push fails. Rejects with what failed
   * first, once everything is over, or with the signal's reason.
   */
  async run(open: OpenTree): Promise<PushResult> {
    const ticking = setInterval(() => this.#tell(), progressMs)
    let source: TreeSource | undefined
    // While the tree is read.
    if (this.#dry === undefined) this.#isThere = this.#ports.isThere(this.#signal)
    try {
      source = await open(this.#signal, (text) => this.#warn(text))
      this.#isFresh = !source.wasSent
      await this.#all(source)
      for (const node of this.#nodes) this.#settle(node)
      if (this.#dry === undefined) await source.keep()
      this.#tell()
      return this.#result(source)
    } finally {
      clearInterval(ticking)
      this.#over.abort(new FrError('ERR_FR_ABORTED', 'the push is over'))
      await Promise.allSettled(this.#tasks)
      await source?.[Symbol.asyncDispose]()
    }
  }

  #warn(text: string): void {
    if (this.#warnings.size < limits.warningsPerPush) this.#warnings.add(text)
  }

  /** Everything, as long as there is a node for it. */
  async #all(source: TreeSource): Promise<void> {
    for await (const batch of source) {
      const isToGo = await this.#giving(batch, this.#turn(batch))
      if (!isToGo) return batch.release()
      this.#track(this.#bring(batch).finally(() => this.#bundleTurns.done()))
    }
    await this.#unlessFailed(Promise.all(this.#tasks))
    // One after the other: nothing comes before the directory that it is in.
    for await (const batch of source.closing()) {
      if (this.#living.length === 0) return batch.release()
      await this.#giving(batch, this.#bring(batch))
    }
  }

  /** Gives the batch back where the work for it fails. */
  async #giving<T>(batch: TreeBatch, work: Promise<T>): Promise<T> {
    try {
      return await this.#unlessFailed(work)
    } catch (error) {
      await batch.release()
      throw error
    }
  }

  /** The first failure ends what waits for something else, too. */
  #unlessFailed<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#failed])
  }

  /** False: nobody is left. */
  async #turn({ isFinal }: TreeBatch): Promise<boolean> {
    if (isFinal) await Promise.all(this.#tasks)
    await this.#bundleTurns.take()
    return this.#living.length > 0
  }

  /** The first task that fails ends the push. */
  #track(task: Promise<void>): void {
    this.#tasks.add(task)
    task.then(
      () => this.#tasks.delete(task),
      (error: unknown) => this.#over.abort(error),
    )
  }

  async #bring(batch: TreeBatch): Promise<void> {
    try {
      const isOne = batch.bundledBytes <= limits.treeBatchBytes
      const isWhole = this.#isFresh && isOne && this.#dry === undefined && !(await this.#isThere)
      const bundle = await (isWhole ? batch.pack() : batch.list())
      const listed = listedOf(bundle.listing, batch.again)
      const answers = await this.#sendBundle(bundle, this.#living)
      this.#isFresh = [...answers.values()].every(({ held }) => held === 0)
      if (isWhole) this.#movedBytes += listed.packedBytes
      for (const [node, applied] of answers) node.applied(applied, listed, isWhole)
      if (this.#dry !== undefined) return this.#note(this.#dry, answers, listed)
      const [files, packed] = lacking(answers, listed.isAlone)
      const alone = [...bundle.alone].map(([index, file]) =>
        this.#sendFile(file, bundle.listing, files.get(index) ?? []),
      )
      await Promise.all([this.#supply(batch, packed, listed), ...alone])
    } finally {
      await batch.release()
    }
  }

  /** What would be brought counts as if it had been. */
  #note(dry: DryRun, answers: ReadonlyMap<TreeNode, Applied>, listed: Listed): void {
    this.#movedBytes += dry.take([...answers.values()], listed)
    for (const [node, { lacks }] of answers) node.wouldHave(lacks, listed)
  }

  /** Brings what nodes lack of a bundle. */
  async #supply(batch: TreeBatch, lacks: Map<TreeNode, RangeSet>, listed: Listed): Promise<void> {
    const nodes = [...lacks.keys()].filter(({ isLiving }) => isLiving)
    if (nodes.length === 0) return
    const wanted = new RangeSet()
    for (const node of nodes)
      for (const range of lacks.get(node)?.toArray() ?? []) wanted.add(...range)
    const pieces = piecesOf(wanted.toArray(), listed, limits.treeBatchBytes)
    for (const [at, piece] of pieces.entries()) {
      const isLast = at === pieces.length - 1
      const ranges = piece.toArray()
      const owns = new Map<TreeNode, readonly RangePair[]>()
      for (const node of nodes) {
        const own = ranges.flatMap((range) => lacks.get(node)?.present(...range) ?? [])
        // What closes is for all of them.
        const isItsOwn = own.length > 0 || (isLast && batch.isFinal)
        if (node.isLiving && isItsOwn) owns.set(node, own)
      }
      if (owns.size > 0) await this.#supplyPiece(await batch.pack(ranges, isLast), owns, listed)
    }
  }

  /** `owns`: what each of the nodes lacks of it, as indices in the first listing. */
  async #supplyPiece(
    bundle: TreeBundle,
    owns: ReadonlyMap<TreeNode, readonly RangePair[]>,
    listed: Listed,
  ): Promise<void> {
    const some = listedOf(bundle.listing, 0)
    const answers = await this.#sendBundle(bundle, [...owns.keys()])
    this.#movedBytes += some.packedBytes
    for (const [node, applied] of answers) {
      const own = owns.get(node) as readonly RangePair[]
      const bytes = own.reduce((sum, range) => sum + listed.bytes(...range), 0)
      const entries = own.reduce((sum, [, length]) => sum + length, 0)
      node.supplied({ entries, bytes }, applied, some)
      // What could not be read any more is not listed: the source names it.
      for (const [from, length] of applied.lacks)
        for (let index = from; index < from + length; index++)
          node.fails(some.name(index), 'ERR_FR_SOURCE_CHANGED', 'its bytes could not be brought')
    }
  }

  async #sendBundle(
    bundle: TreeBundle,
    nodes: readonly TreeNode[],
  ): Promise<Map<TreeNode, Applied>> {
    const applied = new Map<string, Applied>()
    const content = { path: bundle.path, name: this.#spec.name, isBundle: true }
    const pushing = this.#push(bundle.listing, content, nodes, applied)
    const result = await pushing.finally(() => bundle.release())
    const answers = new Map<TreeNode, Applied>()
    for (const node of nodes) {
      const outcome = result.nodes.find((one) => one.node === node.address)
      const answer = applied.get(node.address)
      if (outcome?.status === 'complete' && answer !== undefined) answers.set(node, answer)
      else this.#lose(node, outcome)
    }
    return answers
  }

  /** Also where nobody lacks it: it is there. */
  async #sendFile(file: AloneFile, listing: Listing, lacking: readonly TreeNode[]): Promise<void> {
    const nodes = lacking.filter(({ isLiving }) => isLiving)
    if (nodes.length === 0) {
      if (file.digest !== null && lacking.length === 0) await file.sent(file.digest)
      return
    }
    await this.#fileTurns.take()
    try {
      this.#signal.throwIfAborted()
      await this.#bringFile(file, listing, nodes)
    } finally {
      this.#fileTurns.done()
    }
  }

  async #bringFile(file: AloneFile, listing: Listing, nodes: readonly TreeNode[]): Promise<void> {
    const name = nameBelow(this.#spec.name, file.name)
    const content = { path: file.path, name, isBundle: false }
    const result = await this.#push(listing, content, nodes, new Map()).catch((error: unknown) => {
      if (!isOfSource(error)) throw error
      this.#failedCount++
      if (this.#failures.length < limits.treeFailuresTold)
        this.#failures.push({ name: nameText(file.name), code: error.code, text: error.message })
      return null
    })
    if (result === null) return
    this.#movedBytes += result.dataBytes
    for (const node of nodes) {
      const outcome = result.nodes.find((one) => one.node === node.address)
      if (outcome?.status === 'complete') node.brought(outcome)
      else node.fails(file.name, outcome?.code ?? 'ERR_FR_INTERNAL', outcome?.reason ?? '')
    }
    const digest = bytesOfHex(result.digest?.split(':').at(-1) ?? '')
    if (digest !== null && digest.length > 0) await file.sent(digest)
  }

  /** `applied` is filled by node. */
  async #push(
    listing: Listing,
    { isBundle, ...content }: Pick<TreeContent, 'path' | 'name'> & { isBundle: boolean },
    nodes: readonly TreeNode[],
    applied: Map<string, Applied>,
  ): Promise<PushResult> {
    const { tree: id, options } = listing
    const part = { id, isBundle, isAtomic: options.isAtomic }
    const running: TreeTransfer & { bytes: number; progress?: Progress; isOver: boolean } = {
      bytes: 0,
      isOver: false,
    }
    this.#running.add(running)
    const links = nodes.map(({ link }) => link)
    try {
      const result = await this.#ports.push(
        { ...content, part, nodes: links, timeoutMs: this.#leftMs },
        {
          plan: (plan) => this.#planned(plan),
          progress: (progress) => {
            running.progress = progress
            running.bytes = progress.bytes
          },
          applied: (node, of) => applied.set(node, of),
        },
        this.#signal,
      )
      this.#sums = addResult(this.#sums, result)
      this.#transfers++
      return result
    } finally {
      this.#running.delete(running)
      const past = [this.#past, { ...running, isOver: true }]
      const progress = treeProgress(past, this.#facts)
      this.#past = { bytes: progress.bytes, progress, isOver: true }
    }
  }

  #planned(plan: Plan): void {
    if (this.#hasPlan) return
    this.#hasPlan = true
    this.#ports.plan({ ...plan, transfer: this.#spec.transfer })
    this.#tell()
  }

  get #living(): TreeNode[] {
    return this.#nodes.filter(({ isLiving }) => isLiving)
  }

  /** Of the whole push; what is over is told by a push that has no time. */
  get #leftMs(): number | undefined {
    const { timeoutMs } = this.#spec
    if (timeoutMs === undefined) return undefined
    return Math.max(1, Math.ceil(timeoutMs - (nowMs() - this.#startMs)))
  }

  get #seconds(): number {
    return (nowMs() - this.#startMs) / 1000
  }

  /** A node of another version stores a bundle as a file, and says nothing of its entries. */
  #lose(node: TreeNode, outcome: NodeOutcome | undefined): void {
    const isOld = outcome?.status === 'complete'
    const code = isOld ? 'ERR_FR_UNSUPPORTED' : 'ERR_FR_INTERNAL'
    const reason = `${code}: the node says nothing of the bundle`
    const unknown = { status: 'failed', code, retryable: false, reason } as const
    node.lose(outcome === undefined || isOld ? unknown : outcome)
    this.#settle(node)
  }

  /** Once for each node. */
  #settle(node: TreeNode): void {
    if (this.#outcomes.has(node)) return
    const outcome = nodeOutcome(node.end(this.#seconds), this.#sums)
    this.#outcomes.set(node, outcome)
    this.#ports.node(outcome)
  }

  get #facts(): TreeFacts {
    const settled = (node: TreeNode) => this.#outcomes.get(node)?.status ?? null
    const nodes = new Map(this.#nodes.map((node) => [node.address, settled(node)]))
    return { transfer: this.#spec.transfer, seconds: this.#seconds, nodes }
  }

  #tell(): void {
    this.#ports.progress(treeProgress([this.#past, ...this.#running], this.#facts))
  }

  #result({ counts, failed }: TreeSource): PushResult {
    const { transfer, strategy } = this.#spec
    const { entries, files, bytes } = counts
    const told = failed.told.map(({ name, ...why }) => ({ name: nameText(name), ...why }))
    const nodes = this.#nodes.map((node) => this.#outcomes.get(node) as NodeOutcome)
    const tree = {
      ...{ entries, files, movedBytes: this.#movedBytes, transfers: this.#transfers },
      failedCount: failed.count + this.#failedCount,
      failures: [...told, ...this.#failures].slice(0, limits.treeFailuresTold),
      ...(this.#dry && { dry: this.#dry.told }),
    }
    const warnings = [...this.#warnings]
    return treeResult({ transfer, strategy, bytes, nodes, tree, warnings }, this.#sums)
  }
}

function isOfSource(error: unknown): error is FrError {
  return error instanceof FrError && error.code.startsWith('ERR_FR_SOURCE')
}
