/**
 * A push that waits for its name. It is tried again as a whole and holds nothing in between, until
 * no other push writes the name at any of its nodes; so waiting pushes never wait for each other.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { nowMs } from '../../base/time/awake.js'
import { backoffMs } from '../../control/members/backoff.js'
import type { PushResult } from '../../control/view/push-view.js'
import { attempt, type PushAudience, type RunHooks } from './attempt.js'
import type { PushRun } from './push-run.js'
import type { PushSpec } from './push-spec.js'

const span = { firstMs: limits.waitMs, mostMs: limits.waitMsMax }

/** A push from its first attempt to its result; the only one, unless it waits for its name. */
export function attempts(
  make: (spec: PushSpec, hooks: RunHooks) => PushRun,
  spec: PushSpec,
  audience: PushAudience,
  signal: AbortSignal,
): Promise<PushResult> {
  const { transfer, log } = spec
  if (!spec.wait) return attempt(make.bind(null, spec), audience, signal, false)
  return whenNameIsFree(
    (timeoutMs, wait) =>
      attempt(make.bind(null, { ...spec, timeoutMs, wait }), audience, signal, wait),
    spec.timeoutMs,
    transfer,
    signal,
    (text) => log({ level: 'warn', event: 'waiting', fields: { transfer, text } }),
  )
}

/**
 * After `timeoutMs` one last attempt takes the refusal as it is. Calls `said` once for each holder
 * that it waits for. Rejects with the reason of the signal.
 */
async function whenNameIsFree<T>(
  attempt: (leftMs: number | undefined, wait: boolean) => Promise<T>,
  timeoutMs: number | undefined,
  transfer: string,
  signal: AbortSignal,
  said: (text: string) => void,
): Promise<T> {
  const seed = Number.parseInt(transfer.slice(0, 8), 16)
  let before: string | undefined
  const endMs = timeoutMs === undefined ? Number.POSITIVE_INFINITY : nowMs() + timeoutMs
  for (let tries = 1; ; tries++) {
    try {
      const leftMs = Math.max(1, Math.ceil(endMs - nowMs()))
      return await attempt(timeoutMs === undefined ? undefined : leftMs, leftMs > 1)
    } catch (error) {
      if (!(error instanceof FrError) || error.code !== 'ERR_FR_BUSY') throw error
      if (error.message !== before) said(`waiting: ${error.message}`)
      before = error.message
      const pauseMs = Math.max(0, Math.min(backoffMs(span, tries, seed), endMs - nowMs()))
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined)
      signal.throwIfAborted()
    }
  }
}
