/** One attempt at a push: a run from its first dial to its result, told as it goes. */
import { FrError } from '../../base/errors.js'
import type { NodeOutcome } from '../../control/messages/types.js'
import type { NodeLink } from '../../control/plan/plan.js'
import type { Plan, Progress, PushResult } from '../../control/view/push-view.js'
import type { PushRun } from './push-run.js'
import type { PushHooks } from './push-spec.js'

/** Whom a push is shown. */
export interface PushAudience {
  readonly plan: (plan: Plan) => void
  readonly progress: (progress: Progress) => void
  readonly node: (outcome: NodeOutcome) => void
  /** The whole source was read for the first time; its file digest. */
  readonly summed?: (fileDigest: string) => void
  /** From now on nodes can be added. */
  readonly running: (add: (link: NodeLink) => Promise<void>) => void
}

export type RunHooks = Omit<PushHooks, 'trace'>

const progressMs = 250

/**
 * `mayRecur`: tells of no outcome when the name is taken, because another attempt follows. Rejects
 * with the reason of the signal.
 */
export async function attempt(
  make: (hooks: RunHooks) => PushRun,
  audience: PushAudience,
  signal: AbortSignal,
  mayRecur: boolean,
): Promise<PushResult> {
  let held: NodeOutcome[] | undefined = mayRecur ? [] : undefined
  const isFinal = (): void => {
    audience.running((link) => running.add(link))
    for (const outcome of held ?? []) audience.node(outcome)
    held = undefined
  }
  const running: PushRun = make({
    plan: (plan) => {
      audience.plan(plan)
      // Even the shortest push reports its progress once.
      audience.progress(running.progress())
      isFinal()
    },
    summed: (fileDigest) => audience.summed?.(fileDigest),
    outcome: (outcome) => {
      if (held === undefined) audience.node(outcome)
      else held.push(outcome)
    },
  })
  if (!mayRecur) isFinal()
  const result = await supervise(running, audience, signal).catch((error: unknown) => {
    // Who waits for a name for a long time has something to tell, too.
    if (mayRecur) audience.progress(running.progress())
    throw error
  })
  isFinal()
  // The final state: the last report may be a quarter of a second old.
  audience.progress(running.progress())
  return result
}

async function supervise(
  running: PushRun,
  audience: PushAudience,
  signal: AbortSignal,
): Promise<PushResult> {
  const ticking = setInterval(() => audience.progress(running.progress()), progressMs)
  const onAbort = (): void => running.cancel('the push was cancelled')
  const result = running.run()
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    return await result
  } catch (error) {
    // The caller cancelled, so it gets its own reason.
    if (error instanceof FrError && error.code === 'ERR_FR_ABORTED') signal.throwIfAborted()
    throw error
  } finally {
    clearInterval(ticking)
    signal.removeEventListener('abort', onAbort)
  }
}
