/**
 * A push of descriptors, from the parts of a push: an ordinary transfer for each, all at once, of
 * which one node is dealt everything (control/plan/descriptors.ts) and passes it on to the others.
 *
 * The idea: what is to be told apart, published alone and repaired alone is a transfer of its own.
 * So a node that lost one descriptor has the others, and one that is given up here stops no other.
 * Never: a word to any node before every descriptor is open.
 */
import { stat } from 'node:fs/promises'
import { cleanText } from '../base/bytes.js'
import { errorTable, FrError } from '../base/errors.js'
import { asFrError } from '../base/failures.js'
import { blockBytesFor, limits } from '../base/limits.js'
import type { TransferShare } from '../base/rate-limits.js'
import { nowMs } from '../base/time/awake.js'
import { forecasts, planOf, shapeOf } from '../control/dealing/planning.js'
import type { DescriptorFigures } from '../control/messages/types.js'
import { forecastDescriptors, relayedBytes, relaysOf } from '../control/plan/descriptors.js'
import type { Forecast } from '../control/plan/plan.js'
import { planView } from '../control/view/push-view.js'
import {
  addResult,
  type NodeEnd,
  nodeOutcome,
  noSums,
  sumsOf,
  treeProgress,
  treeResult,
} from '../control/view/tree-view.js'
import { randomId } from '../net/crypto.js'
import type { PushAudience } from '../session/coordinator/attempt.js'
import { type ContentParts, linksOf, type OpenContent, openContent } from './contents.js'
import type { DescriptorWish, NamedPath } from './descriptor-options.js'
import type { NodeOutcome, Plan, Progress, PushResult } from './types.js'

const progressMs = 250

/**
 * Rejects with what is wrong with a descriptor before anybody is dialled, with the reason of the
 * signal, or with the first failure where every descriptor was given up.
 */
export async function pushDescriptors(
  parts: ContentParts,
  { files, enough }: DescriptorWish,
): Promise<PushResult> {
  const { storage } = parts.engine
  const open: OpenContent[] = []
  try {
    for (const { path } of files)
      open.push(
        await openContent(parts, path).catch((error: unknown) => {
          throw named(path, error)
        }),
      )
    await refuseTwice(files)
    const push = new DescriptorPush(parts, files, open, enough)
    return parts.checked.dryRun ? push.dryRun() : await push.run()
  } finally {
    for (const { source, known } of open) {
      await known.close()
      storage.closeFile(source.file)
    }
  }
}

/** An error about one of several files says which one. */
function named(path: string, error: unknown): unknown {
  if (!(error instanceof FrError) || error.message.includes(path)) return error
  return new FrError(error.code, `${path}: ${error.message}`, { path, cause: error })
}

/** Two names of one file are one descriptor. */
async function refuseTwice(files: readonly NamedPath[]): Promise<void> {
  const seen = new Map<string, string>()
  for (const { path } of files) {
    const { dev, ino } = await stat(path, { bigint: true })
    const other = seen.get(`${dev} ${ino}`)
    if (other !== undefined)
      throw new FrError('ERR_FR_SOURCE', `${other} and ${path} are one file: one descriptor`)
    seen.set(`${dev} ${ino}`, path)
  }
}

/** What one of so many transfers may use, so that together they keep to the limits of the push. */
function partOf(share: TransferShare, transfers: number): TransferShare {
  const { upBytesPerSecond: up, downBytesPerSecond: down } = share
  return {
    ...share,
    ...(up !== undefined && { upBytesPerSecond: Math.ceil(up / transfers) }),
    ...(down !== undefined && { downBytesPerSecond: Math.ceil(down / transfers) }),
  }
}

/** One descriptor on its way. */
class Descriptor {
  readonly open: OpenContent
  readonly name: Uint8Array
  /** The node that it is dealt to, by its index. */
  readonly relay: number
  readonly bytes: number
  readonly text: string
  /** By node, as they are told. */
  readonly outcomes = new Map<string, NodeOutcome>()
  progress: Progress | undefined
  digest: string | null = null
  failure: FrError | undefined
  isOver = false

  constructor(open: OpenContent, name: Uint8Array, relay: number) {
    this.open = open
    this.name = name
    this.relay = relay
    this.bytes = open.source.size
    this.text = cleanText(new TextDecoder().decode(name))
  }

  isAt(node: string): boolean {
    return this.outcomes.get(node)?.status === 'complete'
  }

  isSettledAt(node: string): boolean {
    return this.isOver || this.outcomes.has(node)
  }
}

/** What one node has so far. */
interface Place {
  readonly address: string
  /** Those with the same bytes are one. */
  readonly digests: Set<string>
  usableSeconds: number | null
  outcome: NodeOutcome | undefined
}

class DescriptorPush {
  readonly #parts: ContentParts
  readonly #descriptors: readonly Descriptor[]
  readonly #enough: number
  readonly #places: readonly Place[]
  readonly #links: ReturnType<typeof linksOf>
  readonly #startMs = nowMs()
  #sums = noSums
  #forecast: Forecast = { boundSeconds: null, predictedSeconds: null, limiting: null }
  #hasPlan = false

  constructor(
    parts: ContentParts,
    files: readonly NamedPath[],
    open: readonly OpenContent[],
    enough: number,
  ) {
    this.#parts = parts
    this.#enough = enough
    this.#links = linksOf(parts.checked)
    const bytes = open.map(({ source }) => source.dataBytes)
    const relays = relaysOf(bytes, this.#links.nodes)
    this.#descriptors = open.map((content, i) => {
      const { name } = files[i] as NamedPath
      return new Descriptor(content, name, relays[i] as number)
    })
    this.#places = parts.checked.nodes.map(({ address }): Place => {
      return { address, digests: new Set(), usableSeconds: null, outcome: undefined }
    })
  }

  async run(): Promise<PushResult> {
    const { audience, signal } = this.#parts
    audience.running(() => {
      const text = 'nodes cannot be added to a push of descriptors'
      return Promise.reject(new FrError('ERR_FR_UNSUPPORTED', text))
    })
    const ticking = setInterval(() => this.#tell(), progressMs)
    try {
      await Promise.all(this.#descriptors.map((one) => this.#push(one)))
    } finally {
      clearInterval(ticking)
    }
    signal.throwIfAborted()
    const [first] = this.#descriptors
    if (first?.failure && this.#descriptors.every(({ failure }) => failure)) throw first.failure
    this.#tell()
    return this.#result()
  }

  /** The plan if every node took part; nobody is dialled. */
  dryRun(): PushResult {
    const { checked, transfer } = this.#parts
    const { strategy, groups, nodes, shape: wish } = checked
    const { bytes, dataBytes, blockBytes } = this.#file
    const file = { bytes, dataBytes, blockBytes }
    const planning = { strategy, file, ...this.#links, groups, isDealtWhole: true }
    const shape = shapeOf(wish, planning)
    const { forecast, shapes } = forecasts(shape, planning)
    const made = planOf(shape, planning)
    this.#planned(planView(transfer, made, nodes, file, forecast, shapes))
    this.#sums = { ...noSums, shape }
    return this.#result()
  }

  /** Never rejects: what ends one descriptor leaves the others alone. */
  async #push(one: Descriptor): Promise<void> {
    const { specOf, pushing, signal } = this.#parts
    const { contentId, known } = one.open.known
    const { name, relay: dealtTo } = one
    const content = specOf({ transfer: randomId(), contentId, known })
    const share = content.share && partOf(content.share, this.#descriptors.length)
    const spec = { ...content, name, dealtTo, ...(share && { share }) }
    try {
      const result = await pushing(one.open, spec, this.#audienceOf(one), () => {}, signal)
      one.digest = result.digest
      this.#sums = addResult(this.#sums, result)
    } catch (error) {
      one.failure = asFrError(error, 'ERR_FR_INTERNAL')
    } finally {
      one.isOver = true
      for (const place of this.#places) this.#settle(place)
    }
  }

  #audienceOf(one: Descriptor): PushAudience {
    return {
      plan: (plan) => this.#planned(plan),
      progress: (progress) => {
        one.progress = progress
      },
      node: (outcome) => this.#heard(one, outcome),
      running: () => {},
    }
  }

  #planned(plan: Plan): void {
    if (this.#hasPlan) return
    this.#hasPlan = true
    const { transfer, audience } = this.#parts
    const { origin, nodes } = this.#links
    const bytes = this.#descriptors.map(({ open }) => open.source.dataBytes)
    const relays = this.#descriptors.map(({ relay }) => relay)
    const made = forecastDescriptors(bytes, relays, origin, nodes)
    // How columns carry several descriptors at once is not predicted.
    this.#forecast = plan.shape === 'group' ? made : { ...made, predictedSeconds: null }
    const relayed = relayedBytes(bytes, relays, nodes.length)
    const { predictedSeconds } = this.#forecast
    audience.plan({
      ...plan,
      transfer,
      ...this.#file,
      ...this.#forecast,
      shares: nodes.map(({ address }, i) => ({ node: address, bytes: relayed[i] ?? 0 })),
      shapes: [{ shape: plan.shape, predictedSeconds }],
    })
  }

  /** All descriptors as if they were one file. */
  get #file(): Pick<Plan, 'bytes' | 'wireBytes' | 'dataBytes' | 'blockBytes'> {
    const sizes = this.#descriptors.map(({ bytes }) => bytes)
    const bytes = sizes.reduce((sum, one) => sum + one, 0)
    const dataBytes = this.#descriptors.reduce((sum, { open }) => sum + open.source.dataBytes, 0)
    const blockBytes = Math.max(...sizes.map((size) => blockBytesFor(size)))
    return { bytes, wireBytes: bytes, dataBytes, blockBytes }
  }

  get #seconds(): number {
    return (nowMs() - this.#startMs) / 1000
  }

  #heard(one: Descriptor, outcome: NodeOutcome): void {
    one.outcomes.set(outcome.node, outcome)
    const place = this.#places.find(({ address }) => address === outcome.node)
    if (place === undefined) return
    if (outcome.status === 'complete') this.#has(place, outcome.digest ?? one.text)
    this.#settle(place)
  }

  #has(place: Place, digest: string): void {
    place.digests.add(digest)
    if (place.usableSeconds !== null || place.digests.size < this.#enough) return
    place.usableSeconds = this.#seconds
  }

  /** Once for each node, when nothing more can come of it. */
  #settle(place: Place): void {
    const { address } = place
    const isSettled = this.#descriptors.every((one) => one.isSettledAt(address))
    if (place.outcome !== undefined || !isSettled || this.#parts.signal.aborted) return
    const outcomes = this.#descriptors.flatMap((one) => one.outcomes.get(address) ?? [])
    place.outcome = nodeOutcome(this.#endOf(place, outcomes), sumsOf(outcomes))
    this.#parts.audience.node(place.outcome)
  }

  #endOf({ address, usableSeconds }: Place, outcomes: readonly NodeOutcome[]): NodeEnd {
    const there = outcomes.filter(({ status }) => status === 'complete')
    const sum = (of: (outcome: NodeOutcome) => number): number =>
      there.reduce((total, outcome) => total + of(outcome), 0)
    const missing = this.#descriptors.find((one) => !one.isAt(address))
    const isUsable = usableSeconds !== null
    return {
      node: address,
      seconds: this.#seconds,
      bytes: sum(({ bytes }) => bytes),
      heldBytes: sum(({ heldBytes }) => heldBytes),
      lost: missing === undefined ? null : this.#why(missing, address, there.length, isUsable),
      descriptors: { complete: there.length, usableSeconds },
      warnings: [...new Set(outcomes.flatMap(({ warnings }) => warnings))].slice(
        0,
        limits.warningsPerPush,
      ),
    }
  }

  /** Why a node lacks this descriptor, the first of those that it lacks. */
  #why(one: Descriptor, address: string, count: number, isUsable: boolean): NodeEnd['lost'] {
    const outcome = one.outcomes.get(address)
    const code = outcome?.code ?? one.failure?.code ?? 'ERR_FR_INTERNAL'
    const text = outcome?.reason?.replace(`${code}: `, '') ?? one.failure?.message ?? ''
    const some = `${count} of ${this.#descriptors.length} descriptors are there`
    const use = isUsable ? ', enough to use' : ''
    return {
      status: count === 0 && outcome?.status === 'refused' ? 'refused' : 'failed',
      code,
      retryable: errorTable[code].retryable,
      reason: `${code}: ${some}${use}: ${one.text}: ${text}`,
    }
  }

  #tell(): void {
    const { transfer, audience } = this.#parts
    const settled = this.#places.map(({ address, outcome }) => {
      return [address, outcome?.status ?? null] as const
    })
    const facts = { transfer, seconds: this.#seconds, nodes: new Map(settled) }
    audience.progress(treeProgress(this.#descriptors, facts))
  }

  #result(): PushResult {
    const { transfer, checked } = this.#parts
    const nodes = this.#places.flatMap(({ outcome }) => outcome ?? [])
    const { bytes, dataBytes } = this.#file
    const end = { transfer, strategy: checked.strategy, bytes, nodes }
    const descriptors = this.#figures()
    const result = treeResult({ ...end, descriptors, warnings: this.#warnings() }, this.#sums)
    const { boundSeconds } = this.#forecast
    const isFresh = nodes.every(({ status, heldBytes }) => status === 'complete' && heldBytes === 0)
    const { seconds } = result
    const isMet = boundSeconds !== null && isFresh && seconds > 0 && boundSeconds <= seconds
    return {
      ...result,
      dataBytes,
      boundSeconds,
      boundFrom: boundSeconds === null ? null : 'configured',
      efficiency: isMet ? boundSeconds / seconds : null,
    }
  }

  #figures(): DescriptorFigures {
    const each = this.#descriptors.map((one) => ({
      name: one.text,
      bytes: one.bytes,
      digest: one.digest,
      relay: this.#places[one.relay]?.address ?? '',
      nodes: this.#places.filter(({ address }) => one.isAt(address)).length,
      code: one.failure?.code ?? null,
      reason: one.failure?.message ?? null,
    }))
    const usable = this.#places.filter(({ usableSeconds }) => usableSeconds !== null).length
    return { enough: this.#enough, usable, each }
  }

  #warnings(): string[] {
    const byDigest = new Map<string, string>()
    const texts: string[] = []
    for (const { text, digest, failure } of this.#descriptors) {
      if (failure !== undefined)
        texts.push(`${text} was given up: ${failure.code}: ${failure.message}`)
      const other = digest === null ? undefined : byDigest.get(digest)
      if (other !== undefined) texts.push(`${other} and ${text} have the same bytes: they are one`)
      else if (digest !== null) byDigest.set(digest, text)
    }
    return texts
  }
}
