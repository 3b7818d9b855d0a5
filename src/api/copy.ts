/**
 * `copy`: a node that holds a file puts it on other nodes, as the origin of a push of its own.
 * `waitFor`: how a copy goes that somebody began, and what it has come to.
 */

import { askToCopy, followCopy, nameText } from '../agent/copy-client.js'
import { limits } from '../base/limits.js'
import { versionedName } from '../base/versions.js'
import type { CopyWish } from '../control/messages/copying.js'
import { refuseUnsupported } from '../control/plan/refusals.js'
import { requireAddressText } from '../net/address.js'
import { randomId } from '../net/crypto.js'
import { oneOf, optionalInteger, optionalRate, optionalShare, requireBoolean } from './checks.js'
import { credentialsOf } from './credentials.js'
import { checkGrouping } from './grouping.js'
import { checkHeldName } from './held-name.js'
import { asking, checkAsking, wordMs } from './inquiry.js'
import { copyGroups, wholeRates, wholeShare } from './mirror-copy.js'
import { requireOptions } from './option-names.js'
import { checkDetection, checkRelays, checkShare, shapes, strategies } from './options.js'
import { announce, audienceOf } from './push.js'
import { readReport, readResult } from './report-shape.js'
import { sealOf } from './seal.js'
import { addNode } from './status.js'
import { checkTargets, wholeLink } from './targets.js'
import { makeTransfer, type TransferControl } from './transfer.js'
import type { CopyOptions, StatusOptions, Transfer, WaitOptions } from './types.js'

/**
 * Has the node `options.from` put a file that it holds on all nodes of `options.to`. Returns at
 * once; cancelling ends the copy. Misuse throws TypeError. The result rejects as that of `push`,
 * and with ERR_FR_NOT_HELD.
 */
export function copy(name: string | Uint8Array, options: CopyOptions): Transfer {
  const { from, wish } = checkCopy(name, options, false)
  const control = makeTransfer(wish.transfer)
  run(control, from, options, wish).then(control.resolve, control.reject)
  return control.transfer
}

/** Begins a copy that goes on by itself. Resolves to its transfer once the node has begun. */
export async function startCopy(name: string | Uint8Array, options: CopyOptions): Promise<string> {
  const { from, wish } = checkCopy(name, options, true)
  await asking(from, asker(options), wordMs, ({ inquiry, ...within }) =>
    askToCopy(inquiry, within, wish),
  )
  return wish.transfer
}

/**
 * Follows a copy that runs at the node `via`, or is over there: its events, then its result, which
 * rejects with ERR_FR_NO_TRANSFER when the node does not know it (any more). Cancelling ends the
 * waiting, not the copy.
 */
export function waitFor(transfer: string, options: WaitOptions): Transfer {
  requireOptions('waitFor', options)
  checkAsking(options)
  if (typeof transfer !== 'string' || !/^[0-9a-f]{32}$/.test(transfer))
    throw new TypeError('transfer must be 32 hex digits')
  const via = requireAddressText(options.via, 'via')
  const control = makeTransfer(transfer)
  run(control, via, options, undefined).then(control.resolve, control.reject)
  return control.transfer
}

async function run(
  control: TransferControl,
  node: string,
  options: StatusOptions,
  wish: CopyWish | undefined,
) {
  // No event comes before the caller could add its listeners.
  await Promise.resolve()
  const { id: transfer } = control.transfer
  const proof = credentialsOf(options)
  const signals = options.signal === undefined ? [] : [options.signal]
  const signal = AbortSignal.any([control.signal, ...signals])
  const audience = audienceOf(control)
  // A link of its own: the other one follows.
  audience.running(({ address }) => addNode(transfer, address, { via: node, ...proof }))
  const { timeoutMs } = wish === undefined ? options : {}
  const asked = { signal, ...proof, ...(timeoutMs && { timeoutMs }) }
  const result = await asking(node, asked, wordMs, async ({ inquiry, ...within }) => {
    if (wish !== undefined) await askToCopy(inquiry, within, wish)
    const json = await followCopy(inquiry, within, transfer, (json) => {
      const report = readReport(json, node)
      if (report.event === 'plan') audience.plan(report)
      else if (report.event === 'progress') audience.progress(report)
      else {
        const { event: _, ...outcome } = report
        audience.node(outcome)
      }
    })
    return readResult(json, node)
  })
  announce(control, 'result', result)
  return result
}

function checkCopy(
  name: string | Uint8Array,
  options: CopyOptions,
  detach: boolean,
): { from: string; wish: CopyWish } {
  requireOptions('copy', options)
  checkAsking(asker(options))
  const from = requireAddressText(options.from, 'from')
  const bytes = checkHeldName(name, 'name')
  const plain = versionedName(bytes)?.name ?? bytes
  const as = options.as === undefined ? plain : checkHeldName(options.as, 'as')
  const nodes = checkTargets(options.to)
  const shape = oneOf('shape', options.shape, shapes) ?? 'auto'
  if (shape === 'unicast' && options.strategy === 'classic')
    throw new TypeError('strategy classic deals parts to a group, shape unicast makes none')
  const groups = checkGrouping(options)
  refuseUnsupported({ shape, groupSize: groups.groupSize, nodes: nodes.length })
  const relays = checkRelays(options.relays, nodes)
  requireBoolean('noClobber', options.noClobber)
  requireBoolean('strict', options.strict)
  requireBoolean('allowAdd', options.allowAdd)
  requireBoolean('wait', options.wait)
  const { silenceMsMin, silenceMsMax, retriesMax, rejoinMsMax, timeoutMsMax } = limits
  const silenceMs =
    optionalInteger('silenceMs', options.silenceMs, silenceMsMin, silenceMsMax) ?? limits.silenceMs
  const wish: CopyWish = {
    transfer: randomId(),
    name: nameText(bytes),
    content: null,
    as: nameText(as),
    attributes: null,
    nodes: nodes.map(wholeLink),
    strategy: oneOf('strategy', options.strategy, strategies) ?? 'adaptive',
    // Other shapes have been refused.
    shape: shape as CopyWish['shape'],
    noClobber: options.noClobber ?? false,
    strict: options.strict ?? false,
    allowAdd: options.allowAdd ?? false,
    connectMs:
      optionalInteger('connectMs', options.connectMs, 1, limits.connectMsMax) ?? limits.reachMs,
    silenceMs,
    detection: checkDetection(options, silenceMs),
    ...wholeShare(optionalShare('demoteBelow', options.demoteBelow)),
    retries: optionalInteger('retries', options.retries, 0, retriesMax) ?? limits.retries,
    rejoinMs: optionalInteger('rejoinMs', options.rejoinMs, 0, rejoinMsMax) ?? limits.rejoinMs,
    timeoutMs: optionalInteger('timeoutMs', options.timeoutMs, 1, timeoutMsMax) ?? null,
    minRateBytesPerSecond: rateOf('minRateBytesPerSecond', options.minRateBytesPerSecond),
    uplinkBytesPerSecond: rateOf('uplinkBytesPerSecond', options.uplinkBytesPerSecond),
    share: checkShare(options),
    groups: copyGroups(groups),
    relays: relays.map((address) => ({ address })),
    wait: options.wait ?? false,
    ...(sealOf(options).seal && { sealed: true }),
    detach,
  }
  return { from, wish }
}

/** How the node is asked; the time limit of a copy is another matter. */
function asker(options: CopyOptions): StatusOptions {
  const { signal } = options
  return { ...credentialsOf(options), ...(signal !== undefined && { signal }) }
}

function rateOf(option: string, value: number | undefined): number | null {
  return wholeRates(optionalRate(option, value))
}
