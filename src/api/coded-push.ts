/**
 * A push of content that is coded on its way, from the parts of a push as it is: of a file, or of
 * one content of a tree.
 *
 * The idea: two ordinary transfers. The first brings all nodes the coded content, which each makes
 * the file of; those that do not take it so (ERR_FR_CODING) are sent the file by the second, which
 * nodes that have it already help with, as mirrors.
 */
import { isCodable } from '../base/coding.js'
import { blockBytesFor, limits } from '../base/limits.js'
import { nowMs } from '../base/time/awake.js'
import type { Coded, ContentName } from '../control/messages/coded.js'
import { isWorthCoding } from '../control/plan/coding.js'
import { limited } from '../control/plan/limited.js'
import type { NodeLink } from '../control/plan/plan.js'
import { randomId } from '../net/crypto.js'
import type { DataEngine, HashPool, SourceFile } from '../ports.js'
import type { PushAudience } from '../session/coordinator/attempt.js'
import { encoded, patchWidth, sampled, type ToCode } from '../session/coordinator/coded-source.js'
import type { PushSpec } from '../session/coordinator/push-spec.js'
import { PoolWork } from '../session/receiver/held-work.js'
import type { SeenRates } from '../store/seen-rates.js'
import { descriptorPath } from '../store/spool.js'
import type { CodingWish } from './coding-options.js'
import { openBase } from './patch-base.js'
import { readWhole, type WholeContent } from './read-whole.js'
import type { NodeOutcome, PushResult } from './types.js'

export interface CodedParts {
  readonly wish: CodingWish
  readonly spec: PushSpec
  readonly source: SourceFile
  readonly engine: DataEngine
  readonly pool: HashPool
  /** How fast earlier pushes to these nodes were sent. */
  readonly rates: Pick<SeenRates, 'find'>
  readonly pushing: (
    source: SourceFile,
    spec: PushSpec,
    audience: PushAudience,
  ) => Promise<PushResult>
  /** What reading the source for its digests has found. */
  readonly summed: (whole: WholeContent) => void
  readonly audience: PushAudience
  readonly signal: AbortSignal
}

export async function pushCoded(parts: CodedParts): Promise<PushResult> {
  const { wish, engine } = parts
  const base = wish.base && (await openBase(wish.base, parts))
  try {
    const how = await howToCode(parts, base)
    if (typeof how === 'string') return await asItIs(parts, how)
    return await new CodedPush(parts, how, base).run()
  } finally {
    if (base !== undefined) engine.storage.closeFile(base.source.file)
  }
}

type Base = Awaited<ReturnType<typeof openBase>>
type How = ToCode & { readonly width: number }

/** A sentence: why it goes as it is; empty: there is nothing to say. */
async function howToCode(parts: CodedParts, base: Base | undefined): Promise<How | string> {
  const { engine, pool, source, wish, spec } = parts
  const { size } = source
  if (engine.kind !== 'native') return 'the portable engine codes no content: it is sent as it is'
  if (!isCodable(size)) return ''
  const what = { engine, pool, source }
  if (base !== undefined) {
    const patch = { ...what, coding: 'patch', base: base.source } as const
    return { ...patch, width: await patchWidth(patch) }
  }
  const how = { ...what, coding: 'zstd', width: 1 } as const
  if (wish.compress === 'zstd') return how
  const seen = spec.originUplinkBytesPerSecond ?? (await parts.rates.find(Date.now()))
  const link = seen === undefined ? {} : { uplinkBytesPerSecond: seen }
  const { uplinkBytesPerSecond } = limited(link, spec.share ?? {})
  const cost = { bytes: size, uplinkBytesPerSecond, ...(await sampled(how)) }
  return isWorthCoding(cost) ? how : ''
}

async function asItIs(parts: CodedParts, why: string): Promise<PushResult> {
  const result = await parts.pushing(parts.source, parts.spec, parts.audience)
  return why === '' ? result : { ...result, warnings: [...result.warnings, why] }
}

class CodedPush {
  readonly #parts: CodedParts
  readonly #how: How
  readonly #base: ContentName | undefined
  readonly #startMs = nowMs()
  /** Nodes that do not take the content coded. */
  readonly #others: NodeOutcome[] = []
  #hasPlan = false

  constructor(parts: CodedParts, how: How, base: ContentName | undefined) {
    this.#parts = parts
    this.#how = how
    this.#base = base
  }

  async run(): Promise<PushResult> {
    const { source, spec, engine, signal, summed } = this.#parts
    const { storage } = engine
    const known = spec.known && 'digests' in spec.known ? spec.known : undefined
    const whole = known ?? (await readWhole({ ...this.#parts, ...spec }))
    if (known === undefined) summed(whole)
    const plain = { ...spec, known: whole }
    const made = await encoded(this.#how, this.#signed(whole), source.size, signal)
    if (made === undefined) {
      const text = `${this.#how.coding} makes the content no smaller: it is sent as it is`
      return asItIs({ ...this.#parts, spec: plain }, text)
    }
    let opened: SourceFile | undefined
    try {
      // What was read for its digests and what was coded is one content, or nobody takes it.
      const { isTouched } = await storage.checkSource(source.file)
      if (isTouched) return await asItIs(this.#parts, 'the source changed while it was coded')
      opened = await storage.openSource(descriptorPath(made.fd))
      const content = { ...opened, mode: source.mode, mtime: source.mtime }
      return await this.#push(content, plain, whole.fileDigest)
    } finally {
      if (opened !== undefined) storage.closeFile(opened.file)
      await made.close()
    }
  }

  #signed({ digests }: WholeContent) {
    const { source, spec, engine, pool } = this.#parts
    const { contentId, algorithm, signer } = spec
    const { size } = source
    const content = { contentId, algorithm, size, blockBytes: blockBytesFor(size) }
    return new PoolWork(engine, pool, signer).sign(content, digests)
  }

  async #push(content: SourceFile, plain: PushSpec, fileDigest: string): Promise<PushResult> {
    const { source, audience, pushing } = this.#parts
    const { size, dataBytes } = source
    const { coding } = this.#how
    const coded: Coded = {
      ...{ coding, size, dataBytes, fileDigest, contentId: plain.contentId },
      ...(this.#base && { base: { size: this.#base.size, fileDigest: this.#base.fileDigest } }),
    }
    const file = { bytes: size, dataBytes, coding, wireBytes: content.size } as const
    const told: PushAudience = {
      ...audience,
      plan: (plan) => {
        this.#hasPlan = true
        audience.plan({ ...plan, ...file })
      },
      node: (outcome) => {
        if (outcome.code === 'ERR_FR_CODING') this.#others.push(outcome)
        else audience.node(this.#ofFile(outcome, fileDigest))
      },
    }
    const spec = { ...plain, contentId: randomId(), known: undefined, coded }
    const first = await pushing(content, spec, told)
    const nodes = first.nodes.map((outcome) => this.#ofFile(outcome, fileDigest))
    const digest = first.digest === null ? null : fileDigest
    const result = { ...first, ...file, digest, nodes }
    return this.#others.length === 0 ? result : this.#sendOthers(result, plain)
  }

  #ofFile(outcome: NodeOutcome, digest: string): NodeOutcome {
    if (outcome.status !== 'complete') return outcome
    return { ...outcome, bytes: this.#parts.source.size, digest }
  }

  async #sendOthers(first: PushResult, plain: PushSpec): Promise<PushResult> {
    const { source, audience, pushing, signal } = this.#parts
    signal.throwIfAborted()
    const lateMs = nowMs() - this.#startMs
    const links = this.#others.map(({ node }) => linkOf(plain, node))
    // Of a bundle nodes have nothing once it is applied.
    const holders = plain.tree?.isBundle
      ? []
      : first.nodes.filter(({ status }) => status === 'complete')
    const mirrors = holders.slice(0, limits.codedMirrors).map(({ node }) => linkOf(plain, node))
    const late = (outcome: NodeOutcome): NodeOutcome => {
      return { ...outcome, seconds: outcome.seconds + lateMs / 1000 }
    }
    const told: PushAudience = {
      ...audience,
      plan: (plan) => void (this.#hasPlan || audience.plan(plan)),
      node: (outcome) => audience.node(late(outcome)),
      running: () => {},
    }
    const spec = {
      ...plain,
      ...{ transfer: randomId(), nodes: links, mirrors },
      timeoutMs: plain.timeoutMs && Math.max(1, Math.ceil(plain.timeoutMs - lateMs)),
    }
    const second = await pushing(source, spec, told)
    const made = new Map(second.nodes.map((outcome) => [outcome.node, late(outcome)]))
    const nodes = first.nodes.map((outcome) => made.get(outcome.node) ?? outcome)
    return merged(first, second, nodes, this.#why())
  }

  #why(): string {
    const [first] = this.#others
    const count = this.#others.length
    const nodes = count === 1 ? `1 node was` : `${count} nodes were`
    return `${nodes} sent the content as it is: ${first?.node}: ${first?.reason}`
  }
}

/** Bounds are those of one transfer: of two there are none. */
function merged(
  first: PushResult,
  second: PushResult,
  nodes: readonly NodeOutcome[],
  why: string,
): PushResult {
  const tookCoded = first.nodes.some(({ status }) => status === 'complete')
  const about = tookCoded ? first : { ...second, transfer: first.transfer }
  const complete = nodes.filter(({ status }) => status === 'complete')
  const timed = (complete.length > 0 ? complete : nodes).map(({ seconds }) => seconds)
  const sorted = complete.map(({ seconds }) => seconds).toSorted((a, b) => a - b)
  return {
    ...about,
    seconds: Math.max(0, ...timed),
    medianSeconds: sorted[(sorted.length - 1) >> 1] ?? null,
    boundSeconds: null,
    ...{ efficiency: null, boundFrom: null, observedBoundSeconds: null, observedEfficiency: null },
    originBytesSent: first.originBytesSent + second.originBytesSent,
    resentBytes: first.resentBytes + second.resentBytes,
    digest: first.digest ?? second.digest,
    warnings: [...new Set([...first.warnings, ...second.warnings, why])],
    nodes,
  }
}

function linkOf({ nodes }: PushSpec, address: string): NodeLink {
  return nodes.find((link) => link.address === address) ?? { address }
}
