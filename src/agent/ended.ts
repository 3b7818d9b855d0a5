/** Transfers of a node that have ended a short while ago: what became of them, for its status. */
import type { Failure, FrErrorCode } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { nowMs } from '../base/time/awake.js'
import type { Reception } from '../session/receiver/reception.js'
import type { TransferStatus } from '../session/receiver/transfer-status.js'

/** `coordinator`, `term`: as they were at the end. */
export interface Ending extends Pick<TransferStatus, 'coordinator' | 'term' | 'source'> {
  readonly transfer: string
  readonly name: string
  readonly role: 'receiving' | 'origin' | 'passing'
  /**
   * - complete: the file is there; of an origin, at all nodes.
   * - partial: of an origin, at some of its nodes.
   * - over: what was to be passed on was.
   */
  readonly outcome: 'complete' | 'partial' | 'over' | 'failed'
  readonly bytes: number
  readonly code: FrErrorCode | null
  readonly reason: string | null
}

export interface EndedTransfer extends Ending {
  /** Since it ended. */
  readonly secondsAgo: number
}

export class EndedTransfers {
  /** The newest last. */
  #endings: (Ending & { readonly atMs: number })[] = []

  add(ending: Ending): void {
    this.#endings.push({ ...ending, atMs: nowMs() })
    this.#endings = this.#endings.slice(-limits.endedTransfers)
  }

  /** The newest first. */
  get views(): EndedTransfer[] {
    const now = nowMs()
    const recent = this.#endings.filter(({ atMs }) => now - atMs < limits.endedMs)
    return recent.reverse().map(({ atMs, ...ending }) => {
      return { ...ending, secondsAgo: (now - atMs) / 1_000 }
    })
  }
}

/** A transfer that this node received, or passed on; null: nothing has failed. */
export function endingOf(
  reception: Pick<Reception, 'spec' | 'session' | 'view'>,
  failure: Failure | null,
): Ending {
  const { transfer, name, bytes, coordinator, term } = reception.view()
  const { isUnchecked } = reception.session.machine.seal
  const isPassing = reception.spec.role !== 'receiver'
  const outcome = failure !== null ? 'failed' : isPassing ? 'over' : 'complete'
  return {
    ...{ transfer, name, bytes, outcome, coordinator, term },
    source: outcome !== 'complete' ? null : isUnchecked ? 'unchecked' : 'checked',
    role: isPassing ? 'passing' : 'receiving',
    code: failure?.code ?? null,
    reason: failure === null ? null : `${failure.code}: ${failure.text}`,
  }
}
