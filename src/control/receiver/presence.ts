/**
 * Whether the coordinator is there, as far as the link to it tells; its silence is judged by
 * NodeWaits.
 *
 * The idea: one connection that broke says little, because whoever dialled it dials again. Where
 * the origin still feeds this node, it is there. Where its feed broke as well, most likely its
 * process has ended: the node goes on alone at once, and what it says is kept for the case that the
 * link comes back. Where it has no feed, limits.resumeMs are waited for.
 */
import type { Failure } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { lostOrigin } from '../members/causes.js'
import type { Term } from '../messages/types.js'
import type { NodeEdges } from './edges.js'
import { isDisk, type NodePhase } from './events.js'
import type { NodeOutbox } from './outbox.js'
import type { Takeover } from './takeover.js'
import type { NodeWaits } from './waits.js'

const never = Number.POSITIVE_INFINITY

/**
 * Why the coordinator is taken for gone: its link has ended, has no connection and may have another
 * one, or is there and silent.
 */
export type LostLink = 'ended' | 'broken' | 'silent'

export class Presence {
  readonly #outbox: NodeOutbox
  readonly #waits: NodeWaits
  readonly #takeover: Takeover
  readonly #edges: NodeEdges
  #broken: { readonly text: string; readonly sinceMs: number } | undefined

  constructor(outbox: NodeOutbox, waits: NodeWaits, takeover: Takeover, edges: NodeEdges) {
    this.#outbox = outbox
    this.#waits = waits
    this.#takeover = takeover
    this.#edges = edges
  }

  /** Nobody coordinates. */
  get isAlone(): boolean {
    return this.#outbox.isAlone
  }

  /** The connection of the link broke, and may come back. */
  broke(text: string, nowMs: number): void {
    this.#broken = { text, sinceMs: nowMs }
    this.#outbox.isKept = true
    this.#takeover.isDoubtful = true
  }

  /** The coordinator is gone. What is said is kept for the case that it comes back. */
  lost(link: LostLink, nowMs: number): void {
    this.#outbox.isAlone = true
    this.#outbox.isKept = link !== 'ended'
    // Its link has its time to come back before another takes over.
    this.#takeover.lost(link === 'broken' ? nowMs + limits.resumeMs : nowMs)
    this.#edges.orphaned()
    // Somebody else may come in its stead.
    this.#waits.heard(nowMs)
  }

  /** Whoever takes this term is followed; `returned` is to be called. */
  follows(term: Term, nowMs: number): void {
    this.#takeover.follow(term)
    this.#edges.orphaned()
    this.#waits.heard(nowMs)
  }

  /** It is there again, or another is. */
  returned(): void {
    this.#broken = undefined
    this.#outbox.isAlone = false
    this.#takeover.isDoubtful = false
    this.#takeover.returned()
  }

  /** When it counts as gone because its link is broken; Infinity: it does not. */
  get goneAtMs(): number {
    const { parentFeed } = this.#edges
    if (this.#broken === undefined || this.isAlone || parentFeed === 'open') return never
    return this.#broken.sinceMs + (parentFeed === 'broken' ? 0 : limits.resumeMs)
  }

  /** When it has been silent for too long. Who only waits for the own disk needs nobody. */
  lostAtMs(phase: NodePhase): number {
    return this.#outbox.isAlone && isDisk(phase) ? never : this.#waits.lostAtMs
  }

  /** How it is lost by now, and as what that counts where it is; null: it is not. */
  gone(phase: NodePhase, nowMs: number): { failure: Failure; link: LostLink } | null {
    if (nowMs >= this.goneAtMs)
      return { failure: lostOrigin('ERR_FR_NODE_LOST', this.#broken?.text ?? ''), link: 'broken' }
    if (nowMs < this.lostAtMs(phase)) return null
    const failure = { code: 'ERR_FR_ORIGIN_LOST', text: this.#waits.silence(nowMs) } as const
    return { failure, link: 'silent' }
  }
}
