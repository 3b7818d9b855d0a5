/** Link speeds where somebody has limited what may be used of them. */
import type { RateLimits } from '../../base/rate-limits.js'
import type { LinkSpeeds } from '../messages/copying.js'

/** The same link, with what may be used of it: u = min(uplink, limit), d likewise. */
export function limited<T extends LinkSpeeds>(link: T, rates: RateLimits): T & LinkSpeeds {
  const { upBytesPerSecond: up, downBytesPerSecond: down } = rates
  const { uplinkBytesPerSecond: uplink, downlinkBytesPerSecond: downlink } = link
  return {
    ...link,
    ...(isBelow(up, uplink) && { uplinkBytesPerSecond: up, isUpLimited: true }),
    ...(isBelow(down, downlink) && { downlinkBytesPerSecond: down, isDownLimited: true }),
  }
}

function isBelow(limit: number | undefined, speed: number | undefined): limit is number {
  return limit !== undefined && limit < (speed ?? Number.POSITIVE_INFINITY)
}
