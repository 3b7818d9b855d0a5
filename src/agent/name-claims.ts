/**
 * Which transfer writes which name at this node: one at a time, from its offer to its publication.
 * A bundle writes beneath the name of its tree, and shares that with all transfers of the tree.
 *
 * When two pushes of one name meet, each must get all of its nodes or none. So a push that finds
 * its name taken is refused and withdraws everywhere, except in two cases that end without help. A
 * holder that has ended, or ends now because its origin is gone, is waited for until it has
 * released everything; by nobody who lands on another disk, since one that hangs releases nothing.
 * A holder without a plan gives way to a claimant whose push has one, and to a claimant with a
 * lower transfer id; the claimant waits.
 *
 * Nobody waits for a holder with a plan, and otherwise lower ids wait for higher ones only, so no
 * two pushes wait for each other.
 */
import { FrError } from '../base/errors.js'
import { limits } from '../base/limits.js'

/** A transfer that writes a name. */
export interface Claimant {
  readonly name: Uint8Array
  readonly spec: {
    readonly transfer: string
    readonly originAddress: string
    /** Its push already had a plan, and so the name at other nodes, when it was offered here. */
    readonly isPlanned: boolean
    readonly originId: string
    /** Number of the disk that it lands at. */
    readonly place?: number
    /** Of the content, where it is known. */
    readonly fileDigest?: string | null | undefined
    readonly tree?: { readonly id: string; readonly isBundle: boolean } | undefined
  }
  /** True once the plan has arrived. */
  readonly hasPlan: boolean
  readonly isEnded: boolean
  /** Another transfer wants the name; true when this one ends for it: its origin is gone. */
  givesWay(): boolean
}

/** Nodes decide together about a name, which nobody else writes until they have. */
export interface InDoubt {
  /** Of the decision. */
  readonly id: string
  /** The content that is to have the name, once that is decided; null: it is not. */
  readonly wanted: string | null
}

export class NameClaims<T extends Claimant> {
  readonly #inDoubt: (name: Uint8Array) => InDoubt | undefined
  /** As many as a node has transfers at most. */
  readonly #holders = new Set<T>()
  /** Names that are being removed. */
  readonly #closed = new Set<string>()
  readonly #waiting = new Set<() => void>()

  constructor(inDoubt: (name: Uint8Array) => InDoubt | undefined = () => undefined) {
    this.#inDoubt = inDoubt
  }

  get holders(): Iterable<T> {
    return this.#holders
  }

  /** Rejects with ERR_FR_BUSY, which names the holder, or ERR_FR_CLOSED if the claimant ends. */
  async claim(claimant: T): Promise<void> {
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      this.changed()
    }, limits.claimMs)
    try {
      for (;;) {
        if (claimant.isEnded) throw new FrError('ERR_FR_CLOSED', 'the transfer is over')
        this.#requireDecided(claimant)
        const holders = [...this.#holders].filter((holder) => excludes(holder, claimant))
        const isClosed = this.#isClosed(claimant)
        if (holders.length === 0 && !isClosed) break
        if (isClosed && isLate) throw new FrError('ERR_FR_BUSY', 'the name is being removed')
        // A holder that has ended releases the name, however busy this machine is.
        for (const holder of holders)
          if (!holder.isEnded && !holder.givesWay())
            if (isLate || !isToGiveWay(holder, claimant)) throw busy(holder)
        await new Promise<void>((resolve) => this.#waiting.add(resolve))
      }
      this.#holders.add(claimant)
    } finally {
      clearTimeout(timer)
    }
  }

  /** Idempotent. */
  release(claimant: T): void {
    if (this.#holders.delete(claimant)) this.changed()
  }

  /**
   * Runs `work` while no transfer has the name; those that want it wait. Rejects with ERR_FR_BUSY
   * when one has it, it is being removed already, or nodes decide about it, but for `by`.
   */
  async without<R>(name: Uint8Array, work: () => Promise<R>, by?: string): Promise<R> {
    const key = keyOf(name)
    const doubt = this.#inDoubt(name)
    if (doubt !== undefined && doubt.id !== by) throw undecided(doubt)
    for (const holder of this.#holders) if (reaches(holder, key)) throw busy(holder)
    if (this.#closed.has(key)) throw new FrError('ERR_FR_BUSY', 'the name is being removed')
    this.#closed.add(key)
    try {
      return await work()
    } finally {
      this.#closed.delete(key)
      this.changed()
    }
  }

  /** What was decided on may come. */
  #requireDecided({ name, spec }: T): void {
    const doubt = this.#inDoubt(name)
    if (doubt === undefined) return
    if (doubt.wanted === null || doubt.wanted !== spec.fileDigest) throw undecided(doubt)
  }

  #isClosed(claimant: T): boolean {
    for (const key of this.#closed) if (reaches(claimant, key)) return true
    return false
  }

  /** Call when a claimant gets its plan or ends, so that waiting claimants look again. */
  changed(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const look of waiting) look()
  }
}

function isToGiveWay(holder: Claimant, claimant: Claimant): boolean {
  if (holder.hasPlan || holder.spec.isPlanned) return false
  return claimant.spec.isPlanned || claimant.spec.transfer < holder.spec.transfer
}

function undecided({ id }: InDoubt): FrError {
  const text = `a version of this name is prepared, and nodes still decide about it (${id})`
  return new FrError('ERR_FR_BUSY', text)
}

function busy({ spec }: Pick<Claimant, 'spec'>): FrError {
  const text = `transfer ${spec.transfer} from ${spec.originAddress} is writing this name`
  return new FrError('ERR_FR_BUSY', text)
}

function excludes(holder: Claimant, claimant: Claimant): boolean {
  const [tree, other] = [holder.spec.tree, claimant.spec.tree]
  if (holder.isEnded && holder.spec.place !== claimant.spec.place) return false
  const isSameOrigin = holder.spec.originId === claimant.spec.originId
  if (isSameOrigin && tree !== undefined && tree.id === other?.id) return false
  return reaches(holder, keyOf(claimant.name)) || reaches(claimant, keyOf(holder.name))
}

/** Whether the claimant writes this name; a tree also excludes what is beneath it or above. */
function reaches({ name, spec }: Claimant, key: string): boolean {
  const own = keyOf(name)
  if (own === key || !spec.tree?.isBundle) return own === key
  return key.startsWith(`${own}/`) || own.startsWith(`${key}/`)
}

function keyOf(name: Uint8Array): string {
  return Buffer.from(name).toString('latin1')
}
