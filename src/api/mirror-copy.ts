/** A copy that a push asks a mirror for; it ends with the push. */
import { Inquiry } from '../agent/client.js'
import { askToCopy, followCopy, nameText } from '../agent/copy-client.js'
import { limits } from '../base/limits.js'
import type { CopyGroups, CopyWish, NodeLink } from '../control/messages/copying.js'
import type { GroupWish } from '../control/plan/layout.js'
import type { Dialler } from '../net/dial.js'
import { type Report, readReport, readResult } from './report-shape.js'
import { wholeLink } from './targets.js'
import type { PushResult } from './types.js'

export { nameText, type Report }

/** Rates travel as whole numbers. */
/** A part below which a relay is demoted, as a frame says it. */
export function wholeShare(share: number | undefined): Pick<CopyWish, 'demoteBelowPpm'> {
  return share === undefined ? {} : { demoteBelowPpm: Math.round(share * 1e6) }
}

export function wholeRates(rate: number | undefined): number | null {
  return rate === undefined ? null : Math.ceil(rate)
}

export function copyGroups({ groupSize, handover, site, siteLinks = [] }: GroupWish): CopyGroups {
  return {
    ...(site !== undefined && { site }),
    ...(groupSize !== undefined && { groupSize }),
    ...(handover !== undefined && { handover }),
    ...(siteLinks.length > 0 && {
      siteLinks: siteLinks.map(({ sites: [from, to], bytesPerSecond, isSealed }) => {
        const sealed = isSealed === true && { sealed: true as const }
        return { from, to, bytesPerSecond: Math.floor(bytesPerSecond), ...sealed }
      }),
    }),
  }
}

const timeoutMs = limits.stallMs + limits.acceptMs

export async function copyAt(
  dialler: Dialler,
  mirror: string,
  wish: CopyWish,
  signal: AbortSignal,
  told: (report: Report) => void,
): Promise<PushResult> {
  const inquiry = new Inquiry(dialler, mirror)
  try {
    await askToCopy(inquiry, { timeoutMs, signal }, wish)
    const json = await followCopy(inquiry, { timeoutMs, signal }, wish.transfer, (report) =>
      told(readReport(report, mirror)),
    )
    return readResult(json, mirror)
  } finally {
    inquiry.close()
  }
}

/** Resolves once the node has joined the copy that the mirror makes. */
export async function addAt(
  dialler: Dialler,
  signal: AbortSignal,
  mirror: string,
  transfer: string,
  node: NodeLink,
): Promise<void> {
  const inquiry = new Inquiry(dialler, mirror)
  try {
    await inquiry.ask({ type: 'add', transfer, node: wholeLink(node) }, 'added', {
      timeoutMs,
      signal,
    })
  } finally {
    inquiry.close()
  }
}
