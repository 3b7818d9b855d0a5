/**
 * A push that mirrors help: nodes that hold the content, or get it first, and copy it to others in
 * the origin's stead.
 *
 * The idea: a mirror is asked for a copy of this content to the nodes that the origin cannot reach
 * (or to all of them, if the origin is to be spared), under the key of the cluster. What becomes of
 * these nodes there is their outcome here. A mirror that is a node of the push serves once it is
 * complete; one that lacks the content is sent it by a push of its own.
 */
import { FrError } from '../base/errors.js'
import { asFrError } from '../base/failures.js'
import { limits } from '../base/limits.js'
import { nowMs } from '../base/time/awake.js'
import type { CopyWish } from '../control/messages/copying.js'
import type { NodeLink } from '../control/plan/plan.js'
import { broughtByMirror } from '../control/view/brought.js'
import { randomId } from '../net/crypto.js'
import type { PushAudience } from '../session/coordinator/attempt.js'
import type { Report } from './mirror-copy.js'
import { wholeLink } from './targets.js'
import type { NodeOutcome, NodeProgress, Progress, PushResult } from './types.js'

export interface MirrorSpec {
  readonly transfer: string
  readonly mirrors: readonly string[]
  readonly spareOrigin: boolean
  readonly nodes: readonly NodeLink[]
  readonly bytes: number
  /** The file digest, where it is known before anything is read; else null. */
  readonly known: string | null
  readonly wish: Omit<CopyWish, 'transfer' | 'nodes' | 'content'>
  /** Asks the mirror at this address for a copy; resolves to its result. */
  readonly copy: (
    mirror: string,
    wish: CopyWish,
    signal: AbortSignal,
    told: (report: Report) => void,
  ) => Promise<PushResult>
  /** Has the mirror add this node to the copy that it makes. */
  readonly add: (mirror: string, transfer: string, node: NodeLink) => Promise<void>
  /** Pushes the source to these nodes; mirrors send what they hold in the origin's stead. */
  readonly push: (
    transfer: string,
    nodes: readonly NodeLink[],
    audience: PushAudience,
    mirrors: readonly NodeLink[],
  ) => Promise<PushResult>
  /** The file digest; reads the source where nobody has told it. */
  readonly fileDigest: () => Promise<string>
  readonly audience: PushAudience
  readonly signal: AbortSignal
}

const silent: PushAudience = { plan() {}, progress() {}, node() {}, running() {} }

export class MirroredPush {
  readonly #spec: MirrorSpec
  readonly #startMs = nowMs()
  readonly #warnings: string[] = []
  /** Nodes that the origin could not reach and no mirror has been asked for. */
  #waiting: NodeOutcome[] = []
  readonly #batches: Promise<void>[] = []
  /** By address, of nodes that a mirror serves. */
  readonly #outcomes = new Map<string, NodeOutcome>()
  readonly #progress = new Map<string, NodeProgress>()
  /** Settles when it is known whether a mirror that is a node of this push is complete. */
  readonly #nodes = new Map<string, { done: Promise<boolean>; settle: (is: boolean) => void }>()
  /** Settles with the digest, or null when the push is over and has not come to one. */
  readonly #summed: { digest: Promise<string | null>; settle: (digest: string | null) => void }
  #digest: Promise<string> | undefined
  /** To mirrors, so that they hold the content. */
  #sentBytes = 0
  #last: Progress | undefined
  /** Nodes that were added, as they were asked for. */
  readonly #added: string[] = []

  constructor(spec: MirrorSpec) {
    this.#spec = spec
    for (const mirror of spec.mirrors)
      if (spec.nodes.some((node) => isAt(node.address, mirror))) {
        const { promise, settle } = settling<boolean>()
        this.#nodes.set(mirror, { done: promise, settle })
      }
    const { promise, settle } = settling<string | null>()
    this.#summed = { digest: promise, settle }
    if (spec.known !== null) settle(spec.known)
  }

  run(): Promise<PushResult> {
    return this.#spec.spareOrigin ? this.#spared() : this.#helped()
  }

  /** The origin pushes; mirrors serve whom it cannot reach. */
  async #helped(): Promise<PushResult> {
    const { push, transfer, nodes, mirrors, audience } = this.#spec
    const others = mirrors.filter((mirror) => !nodes.some((node) => isAt(node.address, mirror)))
    const told: PushAudience = {
      ...audience,
      progress: (progress) => this.#show(progress),
      node: (outcome) => this.#told(outcome),
      // A mirror that lacks the content can be sent it from now on.
      summed: (fileDigest) => this.#summed.settle(fileDigest),
    }
    let result: PushResult
    try {
      result = await push(
        transfer,
        nodes,
        told,
        others.map((address) => ({ address })),
      )
    } finally {
      this.#summed.settle(null)
      for (const { settle } of this.#nodes.values()) settle(false)
    }
    for (let at = 0; at < this.#batches.length; at++) await this.#batches[at]
    return this.#outcomes.size === 0 ? this.#warned(result) : this.#merged(result)
  }

  #told(outcome: NodeOutcome): void {
    const { mirrors, audience } = this.#spec
    const isComplete = outcome.status === 'complete'
    if (isComplete) this.#summed.settle(outcome.digest)
    for (const [mirror, { settle }] of this.#nodes)
      if (isAt(outcome.node, mirror)) settle(isComplete)
    const hasMirror = mirrors.some((mirror) => !isAt(outcome.node, mirror))
    if (outcome.code !== 'ERR_FR_UNREACHABLE' || !hasMirror) return audience.node(outcome)
    // Those that are out of reach are given up together.
    if (this.#waiting.length === 0) {
      const batch = Promise.resolve().then(() => this.#serve(this.#waiting.splice(0)))
      batch.catch(() => undefined)
      this.#batches.push(batch)
    }
    this.#waiting.push(outcome)
  }

  async #serve(lost: readonly NodeOutcome[]): Promise<void> {
    const links = lost.map(({ node }) => this.#linkOf(node))
    try {
      await this.#byMirror(links, (mirror, report) => this.#follow(mirror, report))
    } catch (error) {
      this.#spec.signal.throwIfAborted()
      this.#warn(`no mirror served what the origin cannot reach: ${messageOf(error)}`)
    }
    for (const outcome of lost)
      if (!this.#outcomes.has(outcome.node)) this.#spec.audience.node(outcome)
  }

  #follow(mirror: string, report: Report): void {
    if (report.event === 'node') return this.#took(mirror, report)
    if (report.event !== 'progress') return
    for (const node of report.nodes) this.#progress.set(node.node, node)
    if (this.#last !== undefined) this.#show(this.#last)
  }

  #took(mirror: string, { event: _, ...outcome }: { readonly event: 'node' } & NodeOutcome): void {
    const served = { ...broughtByMirror(outcome), seconds: this.#seconds, servedBy: mirror }
    this.#outcomes.set(outcome.node, served)
    this.#spec.audience.node(served)
  }

  /** All is copied by a mirror; the origin sends to it alone, and only what it lacks. */
  async #spared(): Promise<PushResult> {
    const { transfer, nodes, audience, mirrors } = this.#spec
    this.#summed.settle(null)
    const own = await this.#sendTo(nodes.filter(({ address }) => mirrors.some(at(address))))
    const rest = nodes.filter(({ address }) => !mirrors.some(at(address)))
    if (rest.length === 0 && own !== undefined) return this.#warned(own)
    const copied = await this.#byMirror(rest, (mirror, report, copy) => {
      if (report.event === 'node') return this.#took(mirror, report)
      if (report.event === 'plan') {
        audience.plan({ ...report, transfer })
        return audience.running((link) => this.#add(mirror, copy, link))
      }
      audience.progress({ ...report, transfer, originBytesSent: this.#sentBytes })
    })
    return this.#merged({ ...copied, transfer }, own)
  }

  /** A node more, for the mirror that copies. */
  async #add(mirror: string, copy: string, link: NodeLink): Promise<void> {
    this.#added.push(link.address)
    await this.#spec.add(mirror, copy, link)
  }

  /** Mirrors that are nodes of the push have it from the origin. */
  async #sendTo(links: readonly NodeLink[]): Promise<PushResult | undefined> {
    if (links.length === 0) return undefined
    const { audience, push } = this.#spec
    const result = await push(randomId(), links, { ...silent, node: audience.node }, [])
    this.#sentBytes += result.originBytesSent
    for (const [mirror, { settle }] of this.#nodes)
      settle(result.nodes.some(({ node, status }) => isAt(node, mirror) && status === 'complete'))
    return result
  }

  /** Has the first mirror that holds the content copy it; rejects when none does. */
  async #byMirror(
    links: readonly NodeLink[],
    told: (mirror: string, report: Report, transfer: string) => void,
  ): Promise<PushResult> {
    const fileDigest = await this.#fileDigest()
    const { bytes, mirrors, signal, wish, copy } = this.#spec
    const ask = (mirror: string): Promise<PushResult> => {
      const content = { fileDigest, bytes }
      const transfer = randomId()
      const whole = { ...wish, content, nodes: links.map(wholeLink), transfer }
      return copy(mirror, whole, signal, (report) => told(mirror, report, transfer))
    }
    const lacking: string[] = []
    let failure: unknown
    const trying = async (mirror: string): Promise<PushResult | undefined> => {
      try {
        return await ask(mirror)
      } catch (error) {
        signal.throwIfAborted()
        failure = error
        if (error instanceof FrError && error.code === 'ERR_FR_NOT_HELD') lacking.push(mirror)
        else this.#warn(`the mirror ${mirror} has failed: ${messageOf(error)}`)
        return undefined
      }
    }
    for (const mirror of mirrors) {
      if ((await this.#nodes.get(mirror)?.done) === false) continue
      const result = await trying(mirror)
      if (result !== undefined) return result
    }
    for (const mirror of [...lacking]) {
      const sent = await this.#spec.push(randomId(), [this.#linkOf(mirror)], silent, [])
      this.#sentBytes += sent.originBytesSent
      const [outcome] = sent.nodes
      if (outcome?.status !== 'complete') failure = new FrError(outcome?.code ?? 'ERR_FR_INTERNAL')
      else {
        const result = await trying(mirror)
        if (result !== undefined) return result
      }
    }
    throw failure ?? new FrError('ERR_FR_UNREACHABLE', 'no mirror has the content')
  }

  #fileDigest(): Promise<string> {
    this.#digest ??= this.#summed.digest.then((digest) => digest ?? this.#spec.fileDigest())
    return this.#digest
  }

  /** With what mirrors have made of its nodes. */
  #merged(result: PushResult, own?: PushResult): PushResult {
    const direct = new Map([...result.nodes, ...(own?.nodes ?? [])].map((one) => [one.node, one]))
    const named = this.#spec.nodes.map(({ address }) => address)
    const nodes = [...new Set([...named, ...this.#added])].flatMap((address) => {
      const outcome = this.#outcomes.get(address) ?? direct.get(address)
      return outcome === undefined ? [] : [outcome]
    })
    const complete = nodes.filter(({ status }) => status === 'complete')
    const timed = complete.length > 0 ? complete : nodes
    const seconds = Math.max(0, ...timed.map((outcome) => outcome.seconds))
    const { boundSeconds: bound, observedBoundSeconds: observed } = result
    const { spareOrigin } = this.#spec
    return this.#warned({
      ...result,
      seconds,
      efficiency: efficiencyOf(bound, seconds),
      observedEfficiency: efficiencyOf(observed, seconds),
      originBytesSent: this.#sentBytes + (spareOrigin ? 0 : result.originBytesSent),
      digest: complete[0]?.digest ?? result.digest,
      nodes,
    })
  }

  #warned(result: PushResult): PushResult {
    return { ...result, warnings: [...result.warnings, ...this.#warnings] }
  }

  /** Nodes that a mirror serves are shown as the mirror sees them. */
  #show(progress: Progress): void {
    this.#last = progress
    if (this.#progress.size === 0) return this.#spec.audience.progress(progress)
    const nodes = progress.nodes.map((node) => this.#progress.get(node.node) ?? node)
    const living = nodes.filter(({ state }) => state !== 'failed' && state !== 'refused')
    const landedBytes = living.reduce((sum, node) => sum + node.landedBytes, 0)
    const totalBytes = progress.bytes * living.length
    const share = totalBytes > 0 ? landedBytes / totalBytes : progress.share
    const seconds = Math.max(progress.seconds, this.#seconds)
    const whole = { landedBytes, totalBytes, share, seconds, nodes }
    this.#spec.audience.progress({ ...progress, ...whole })
  }

  #linkOf(address: string): NodeLink {
    return this.#spec.nodes.find((node) => isAt(node.address, address)) ?? { address }
  }

  #warn(text: string): void {
    if (this.#warnings.length < limits.warningsPerPush) this.#warnings.push(text)
  }

  get #seconds(): number {
    return (nowMs() - this.#startMs) / 1000
  }
}

function settling<T>(): { promise: Promise<T>; settle: (value: T) => void } {
  let settle!: (value: T) => void
  const promise = new Promise<T>((resolve) => {
    settle = resolve
  })
  return { promise, settle }
}

function isAt(address: string, other: string): boolean {
  return address.toLowerCase() === other.toLowerCase()
}

function at(address: string): (mirror: string) => boolean {
  return (mirror) => isAt(address, mirror)
}

function messageOf(error: unknown): string {
  const { code, message } = asFrError(error, 'ERR_FR_INTERNAL')
  return `${code}: ${message}`
}

function efficiencyOf(bound: number | null, seconds: number): number | null {
  return bound === null || bound === 0 || bound > seconds ? null : bound / seconds
}
