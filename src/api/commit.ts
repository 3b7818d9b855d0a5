/**
 * `commit`: what a push has brought beside the present versions takes the name at all of its nodes
 * or at none; and an earlier version in the same way (`client.rollbackTogether`).
 */
import { Inquiry } from '../agent/client.js'
import { type CommitOutcome, decideTogether, requireFewEnough } from '../agent/commit-author.js'
import { askToForce, listVersions } from '../agent/held-client.js'
import { type Failure, FrError } from '../base/errors.js'
import { asFrError } from '../base/failures.js'
import { globOf } from '../base/glob.js'
import { limits } from '../base/limits.js'
import { isSameName } from '../base/names.js'
import { nowMs } from '../base/time/awake.js'
import { isVersion, pickVersion } from '../base/versions.js'
import { type CommitMode, commitModes } from '../control/messages/commit.js'
import type { NodeLink } from '../control/plan/plan.js'
import { requireAddressText } from '../net/address.js'
import { selfOf, signerOf } from '../net/crypto.js'
import type { Dialler } from '../net/dial.js'
import { Resolver } from '../net/resolver.js'
import type { PushAudience } from '../session/coordinator/attempt.js'
import { clientKey } from '../store/identity.js'
import { oneOf, optionalInteger } from './checks.js'
import { checkCredentials, credentialsOf } from './credentials.js'
import { checkHeldName, shownName } from './held-name.js'
import { asking, checkAsking } from './inquiry.js'
import { requireOptions } from './option-names.js'
import type {
  Committed,
  ForcedResult,
  ForceOptions,
  NodeOutcome,
  PushResult,
  TogetherOptions,
  TogetherResult,
} from './types.js'

/** Until the nodes have decided none of them is complete, and none may come. */
export function audienceUntil(audience: PushAudience, mode: CommitMode | undefined): PushAudience {
  if (mode === undefined) return audience
  const text = 'nodes cannot be added to a push with commit: those of the decision are fixed'
  const add = () => Promise.reject(new FrError('ERR_FR_UNSUPPORTED', text))
  return { ...audience, node: () => {}, running: () => audience.running(add) }
}

export interface CommitPush {
  readonly mode: CommitMode | undefined
  readonly name: Uint8Array
  readonly nodes: readonly NodeLink[]
  readonly dialler: Dialler
  /** Of the whole push. */
  readonly timeoutMs: number | undefined
  readonly startedMs: number
  readonly signal: AbortSignal
  readonly told: (outcome: NodeOutcome) => void
}

/** The result of the push as it is once the nodes have decided, or are waited for no longer. */
export async function commitPushed(pushed: PushResult, push: CommitPush): Promise<PushResult> {
  const { mode, name, nodes, dialler, signal, told } = push
  if (mode === undefined) return pushed
  const outcomes = new Map(pushed.nodes.map((outcome) => [outcome.node, outcome]))
  const fileDigest = pushed.nodes.find(({ status }) => status === 'complete')?.digest ?? null
  const members = nodes.map(({ address, advertise }) => {
    return { address: advertise ?? address, failure: failureOf(outcomes.get(address)) }
  })
  const left = push.timeoutMs && push.timeoutMs - (nowMs() - push.startedMs)
  const timeoutMs = timeOf(left)
  const outcome =
    fileDigest === null
      ? nothingBrought(members)
      : await decideTogether({
          ...{ name, fileDigest, mode, nodes: members, isNew: true, timeoutMs, signal, dialler },
        })
  // Who cancels hears of it, unless it is decided all the same.
  if (outcome.verdict === null) signal.throwIfAborted()
  const decided = nodes.flatMap(({ address }, at): NodeOutcome[] => {
    const before = outcomes.get(address)
    return before === undefined ? [] : [settled(before, outcome, at)]
  })
  for (const one of decided) told(one)
  const addresses = nodes.map(({ address }) => address)
  const commit = committedOf(mode, outcome, addresses)
  return { ...pushed, seconds: (nowMs() - push.startedMs) / 1000, nodes: decided, commit }
}

/** A bounded time, whatever is asked for. */
function timeOf(timeoutMs: number | undefined): number {
  const least = limits.commitBeatMs
  return Math.min(Math.max(least, timeoutMs ?? limits.commitAuthorMs), timerMsMax)
}

/** What setTimeout takes. */
const timerMsMax = 2 ** 31 - 1

function failureOf(outcome: NodeOutcome | undefined): Failure | null {
  if (outcome === undefined) return { code: 'ERR_FR_UNREACHABLE', text: 'it was not reached' }
  const { code, reason } = outcome
  return code === null ? null : { code, text: reason?.slice(code.length + 2) ?? '' }
}

function nothingBrought(nodes: readonly { readonly failure: Failure | null }[]): CommitOutcome {
  const stays = nodes.map(({ failure }) => ({ hasApplied: false, failure }))
  return { id: null, verdict: 'abort', nodes: stays }
}

function committedOf(
  mode: CommitMode,
  { id, verdict, nodes }: CommitOutcome,
  addresses: readonly string[],
): Committed {
  const waitsFor = addresses.filter((_, at) => nodes[at]?.hasApplied !== true)
  const isDecided = verdict !== null
  const words = { commit: 'committed', abort: 'aborted' } as const
  return {
    ...{ id, mode, verdict: verdict === null ? 'in doubt' : words[verdict] },
    waitsFor: isDecided && verdict === 'abort' ? [] : waitsFor,
  }
}

/** Why a node does not have the version now; null: it has. */
function whyNot({ verdict, nodes }: CommitOutcome, at: number): Failure | null {
  const node = nodes[at]
  const own = node?.failure ?? null
  if (verdict === 'commit') {
    if (node?.hasApplied) return null
    const text = 'the others have switched; it does once it is reached'
    return own ?? { code: 'ERR_FR_IN_DOUBT', text }
  }
  if (own !== null) return own
  if (verdict === null) {
    const text = 'no verdict was heard of: the nodes decide by themselves, and all alike'
    return { code: 'ERR_FR_IN_DOUBT', text }
  }
  const first = nodes.find(({ failure }) => failure !== null)?.failure
  const why = first ? `: one of them could not take it (${first.code}: ${first.text})` : ''
  return { code: 'ERR_FR_NOT_COMMITTED', text: `all nodes have what they had before${why}` }
}

function settled(before: NodeOutcome, outcome: CommitOutcome, at: number): NodeOutcome {
  const failure = whyNot(outcome, at)
  const isFailed = before.status !== 'complete'
  if (failure === null) {
    const complete = { status: 'complete', code: null, retryable: false, reason: null } as const
    return isFailed ? { ...before, ...complete } : before
  }
  if (isFailed) return before
  const { code, text } = failure
  const { retryable } = new FrError(code)
  return { ...before, status: 'failed', code, retryable, reason: `${code}: ${text}` }
}

/**
 * Gives the name to a version that the nodes keep, at all of them or at none. `version` as in
 * `rollback`, and of the same content everywhere: else ERR_FR_NAME. Rejects with ERR_FR_NOT_HELD
 * where no node has it.
 */
export async function rollbackTogether(
  addresses: readonly string[],
  name: string | Uint8Array,
  options: TogetherOptions,
): Promise<TogetherResult> {
  if (!Array.isArray(addresses) || addresses.length === 0)
    throw new TypeError('addresses must be a list of HOST:PORT')
  const nodes = addresses.map((address, at) => requireAddressText(address, `addresses[${at}]`))
  requireOptions('rollbackTogether', options)
  const { version = '-1', signal } = options
  if (typeof version !== 'string' || !isVersion(version))
    throw new TypeError('version must be -1, -2, .. or at least 6 hex digits of a digest')
  const mode = oneOf('commit', options.commit, commitModes)
  if (mode === undefined) throw new TypeError(`commit must be ${commitModes.join(' or ')}`)
  const timeout = optionalInteger('timeoutMs', options.timeoutMs, 1, limits.timeoutMsMax)
  checkAsking({ ...credentialsOf(options), ...(signal !== undefined && { signal }) })
  requireFewEnough(nodes.length)
  const bytes = checkHeldName(name, 'name')
  const dialler: Dialler = {
    keys: [checkCredentials(options)],
    self: selfOf(signerOf(await clientKey())),
    ...{ connectMs: limits.reachMs, resolver: new Resolver() },
  }
  const found = await Promise.all(
    nodes.map((node) => digestAt(dialler, node, bytes, version, signal)),
  )
  signal?.throwIfAborted()
  const digests = [...new Set(found.flatMap(({ digest }) => digest ?? []))]
  const [digest] = digests
  if (digest === undefined) {
    const failure = found.find((one) => one.failure !== null)?.failure
    throw new FrError(failure?.code ?? 'ERR_FR_NOT_HELD', failure?.text)
  }
  if (digests.length > 1) {
    const text = `${version} is another content at each node: name the first digits of a digest`
    throw new FrError('ERR_FR_NAME', text)
  }
  const outcome = await decideTogether({
    ...{ name: bytes, fileDigest: digest, mode, isNew: false, timeoutMs: timeOf(timeout) },
    nodes: nodes.map((address, at) => ({ address, failure: found[at]?.failure ?? null })),
    ...{ signal, dialler },
  })
  return {
    ...{ event: 'result', ...shownName(bytes), digest },
    commit: committedOf(mode, outcome, nodes),
    nodes: nodes.map((node, at) => {
      const failure = whyNot(outcome, at)
      const status = failure === null ? ('complete' as const) : ('failed' as const)
      const reason = failure && `${failure.code}: ${failure.text}`
      return { node, status, code: failure?.code ?? null, reason }
    }),
  }
}

interface FoundDigest {
  readonly digest: string | null
  readonly failure: Failure | null
}

/** Of the version that is meant at this node. */
async function digestAt(
  dialler: Dialler,
  node: string,
  name: Uint8Array,
  version: string,
  signal: AbortSignal | undefined,
): Promise<FoundDigest> {
  const inquiry = new Inquiry(dialler, node)
  try {
    const within = { timeoutMs: limits.reachMs, signal }
    for await (const found of listVersions(inquiry, within, globOf(name))) {
      if (!isSameName(found.name, name)) continue
      const present = found.versions.find(({ back }) => back === 0)
      const kept = found.versions.filter(({ back }) => back > 0)
      const picked = pickVersion(version, present, kept)
      if (picked !== undefined) return { digest: picked.fileDigest, failure: null }
    }
    const text = `${node} keeps no version ${version} of this file`
    return { digest: null, failure: { code: 'ERR_FR_NOT_HELD', text } }
  } catch (error) {
    const { code, message: text } = asFrError(error, 'ERR_FR_INTERNAL')
    return { digest: null, failure: { code, text } }
  } finally {
    inquiry.close()
  }
}

/**
 * Decides at a node about the version of this name that is in doubt there, and so at all that it
 * tells: for when those that could decide are lost for good. Where they are not, nodes may have
 * different versions afterwards. Rejects with ERR_FR_NOT_HELD where nothing is in doubt.
 */
export async function forceCommit(
  address: string,
  name: string | Uint8Array,
  options: ForceOptions,
): Promise<ForcedResult> {
  const node = requireAddressText(address, 'address')
  requireOptions('forceCommit', options)
  const verdict = oneOf('verdict', options.verdict, ['commit', 'abort'])
  if (verdict === undefined) throw new TypeError('verdict must be commit or abort')
  const bytes = checkHeldName(name, 'name')
  const { verdict: _, ...rest } = options
  const forced = await asking(node, rest, limits.reachMs, ({ inquiry, ...within }) =>
    askToForce(inquiry, within, bytes, verdict),
  )
  const { fileDigest: digest } = forced
  return { event: 'forced', node, ...shownName(bytes), digest, verdict: forced.verdict }
}
