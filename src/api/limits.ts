/** `client.limit`: what a node, or one of its transfers, may use from now on. */
import { limits } from '../base/limits.js'
import { requireAddressText } from '../net/address.js'
import { optionalLimit } from './checks.js'
import { asking } from './inquiry.js'
import { requireOptions } from './option-names.js'
import type { LimitOptions, LimitsApplied } from './types.js'

/**
 * Changes a limit of the node at `address` while it runs; it holds until the node ends. Resolves
 * with what applies then. Throws TypeError for misuse; rejects with FrError: ERR_FR_NO_TRANSFER,
 * ERR_FR_UNREACHABLE, ERR_FR_AUTH, ERR_FR_TIMEOUT, or with the signal's reason.
 */
export async function limit(address: string, options: LimitOptions): Promise<LimitsApplied> {
  const node = requireAddressText(address, 'address')
  requireOptions('limit', options)
  const { transfer = null } = options
  if (transfer !== null && !/^[0-9a-f]{32}$/.test(transfer))
    throw new TypeError(`transfer must be 32 hex digits, not ${JSON.stringify(transfer)}`)
  const change = {
    ...rateOf('upBytesPerSecond', options.upBytesPerSecond),
    ...rateOf('downBytesPerSecond', options.downBytesPerSecond),
  }
  if (Object.keys(change).length === 0)
    throw new TypeError('upBytesPerSecond or downBytesPerSecond must be given')
  return asking(node, options, limits.acceptMs, async ({ inquiry, ...within }) => {
    const said = await inquiry.ask({ type: 'limit', transfer, ...change }, 'limited', within)
    const { upBytesPerSecond, downBytesPerSecond } = said
    return { event: 'limited', node, transfer, upBytesPerSecond, downBytesPerSecond }
  })
}

function rateOf<N extends string>(
  name: N,
  rate: number | null | undefined,
): { [P in N]?: number | null } {
  if (rate === undefined) return {}
  const value = rate === null ? null : (optionalLimit(name, rate) ?? null)
  return { [name]: value } as { [P in N]?: number | null }
}
