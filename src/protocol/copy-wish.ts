/** Reader for what a node is asked to copy. */
import type { Detection } from '../base/detection.js'
import { limits } from '../base/limits.js'
import type { TransferShare } from '../base/rate-limits.js'
import type { CopyGroups, CopyWish, NodeLink } from '../control/messages/copying.js'
import type { Fields } from './fields.js'
import { readFileDigest } from './file-digest.js'
import { readAttributes, readName } from './manifest.js'
import { readOnly } from './only.js'
import { readAddress, readSealed } from './plan.js'

const bytesMax = Number.MAX_SAFE_INTEGER

export function readCopyWish(body: Fields): CopyWish {
  const orNull = <T>(name: string, read: () => T): T | null => (body.isNull(name) ? null : read())
  const rate = (name: string): number | null => orNull(name, () => body.integer(name, 1, bytesMax))
  return {
    transfer: body.hex('transfer', 32),
    name: orNull('name', () => readName(body.object('name'))),
    content: orNull('content', () => {
      const content = body.object('content')
      const fileDigest = readFileDigest(content, 'fileDigest')
      return { fileDigest, bytes: content.integer('bytes', 0, limits.fileBytes) }
    }),
    as: readName(body.object('as')),
    attributes: orNull('attributes', () => readAttributes(body.object('attributes'))),
    nodes: body.list('nodes', limits.nodesPerCopy, readNodeLink),
    strategy: body.oneOf('strategy', ['classic', 'adaptive']),
    shape: body.oneOf('shape', ['auto', 'unicast', 'group', 'chain', 'tree', 'binomial']),
    noClobber: body.boolean('noClobber'),
    strict: body.boolean('strict'),
    allowAdd: body.boolean('allowAdd'),
    connectMs: body.integer('connectMs', 1, limits.connectMsMax),
    silenceMs: body.integer('silenceMs', limits.silenceMsMin, limits.silenceMsMax),
    ...readDetection(body),
    ...body.optional('demoteBelowPpm', 0, 999_999),
    retries: body.integer('retries', 0, limits.retriesMax),
    rejoinMs: body.integer('rejoinMs', 0, limits.rejoinMsMax),
    timeoutMs: orNull('timeoutMs', () => body.integer('timeoutMs', 1, limits.timeoutMsMax)),
    minRateBytesPerSecond: rate('minRateBytesPerSecond'),
    uplinkBytesPerSecond: rate('uplinkBytesPerSecond'),
    ...(body.has('share') && { share: readShare(body.object('share')) }),
    ...(body.has('groups') && { groups: readGroups(body.object('groups')) }),
    ...(body.has('relays') && { relays: body.list('relays', limits.helpersPerPush, readNodeLink) }),
    wait: body.boolean('wait'),
    ...readOnly(body),
    ...readSealed(body),
    detach: body.boolean('detach'),
  }
}

/** When silence counts, where a frame says it beside its `silenceMs`. */
export function readDetection(body: Fields): { readonly detection?: Detection } {
  if (!body.has('detection')) return {}
  const fields = body.object('detection')
  const lostMs = body.integer('silenceMs', limits.silenceMsMin, limits.silenceMsMax)
  const suspectMs = fields.integer('suspectMs', limits.suspectMsMin, lostMs)
  return { detection: { suspectMs, failMs: fields.integer('failMs', suspectMs + 1, lostMs - 1) } }
}

/** What a transfer may use of a machine. */
export function readShare(share: Fields): TransferShare {
  const { rateMin, rateMax, priorityMin, priorityMax } = limits
  return {
    ...share.optional('upBytesPerSecond', rateMin, rateMax),
    ...share.optional('downBytesPerSecond', rateMin, rateMax),
    ...share.optional('priority', priorityMin, priorityMax),
    ...share.optional('flows', 1, limits.flowsPerFeed),
  }
}

function readGroups(groups: Fields): CopyGroups {
  return {
    ...(groups.has('site') && { site: groups.string('site', limits.siteChars) }),
    ...groups.optional('groupSize', 1, limits.nodesPerGroup),
    ...(groups.has('handover') && {
      handover: groups.oneOf('handover', ['corresponding', 'every']),
    }),
    ...(groups.has('siteLinks') && {
      siteLinks: groups.list('siteLinks', limits.siteLinks, (link) => ({
        from: link.string('from', limits.siteChars),
        to: link.string('to', limits.siteChars),
        bytesPerSecond: link.integer('bytesPerSecond', limits.rateMin, limits.rateMax),
        ...readSealed(link),
      })),
    }),
  }
}

/** Reads a node as whoever names it knows it. */
export function readNodeLink(link: Fields): NodeLink {
  const rate = <N extends string>(name: N): Partial<Record<N, number>> =>
    link.has(name) ? ({ [name]: link.integer(name, 1, bytesMax) } as Record<N, number>) : {}
  return {
    address: readAddress(link, 'address'),
    ...(link.has('advertise') ? { advertise: readAddress(link, 'advertise') } : {}),
    ...(link.has('via') ? { via: readAddress(link, 'via') } : {}),
    ...(link.has('site') ? { site: link.string('site', limits.siteChars) } : {}),
    ...rate('uplinkBytesPerSecond'),
    ...rate('downlinkBytesPerSecond'),
  }
}
