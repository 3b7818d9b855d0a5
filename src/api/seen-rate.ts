/** Pushes remember how fast they were sent, for those after them. */
import { limits } from '../base/limits.js'
import type { PushAudience } from '../session/coordinator/attempt.js'
import type { SeenRates } from '../store/seen-rates.js'
import type { PushResult } from './types.js'

/** A push that sent for less time tells of buffers, not of links. */
const leastSeconds = 0.5

/**
 * Runs a push; what the origin sent a second, from its first bytes to the end, is kept where that
 * was enough to tell.
 */
export async function seeingRate(
  rates: Pick<SeenRates, 'keep'>,
  audience: PushAudience,
  run: (audience: PushAudience) => Promise<PushResult>,
): Promise<PushResult> {
  let idleSeconds = 0
  const result = await run({
    ...audience,
    progress: (progress) => {
      if (progress.originBytesSent === 0) idleSeconds = progress.seconds
      audience.progress(progress)
    },
  })
  const { originBytesSent: bytes, seconds } = result
  const sending = seconds - idleSeconds
  if (bytes >= limits.seenRateBytes && sending >= leastSeconds)
    await rates.keep(bytes / sending, Date.now())
  return result
}
