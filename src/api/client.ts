/**
 * What a node holds: `client.list`, `client.remove`, `client.verify`; versions of that
 * (versions.ts), also at many nodes together (commit.ts); its disks (disks.ts); what it may use:
 * `client.limit`; what is true of it: `client.changeAttributes`; and questions to a master
 * (master-client.ts). Each call checks its options at once (TypeError), and fails with FrError
 * (ERR_FR_UNREACHABLE, ERR_FR_AUTH, ERR_FR_TIMEOUT, ...) or the signal's reason. A list that is
 * left early ends what it asked for.
 */
import { askToRemove, askToVerify, listHeld, type Verdict } from '../agent/held-client.js'
import { FrError } from '../base/errors.js'
import { isWithin } from '../base/names.js'
import { isUnfinished } from '../control/messages/held.js'
import { requireAddressText } from '../net/address.js'
import { requireBoolean } from './checks.js'
import { heldFile } from './held-file.js'
import { checkGlob, checkHeldName, shownName } from './held-name.js'
import { type Asking, asking, askingEach, checkAsking, pageMs, wordMs } from './inquiry.js'
import { requireOptions } from './option-names.js'
import type {
  HeldFile,
  ListOptions,
  RemoveOptions,
  RemoveResult,
  VerifyOptions,
  VerifyProgress,
  VerifyReport,
} from './types.js'

export { changeAttributes } from './change-attributes.js'
export { forceCommit, rollbackTogether } from './commit.js'
export { disks } from './disks.js'
export { limit } from './limits.js'
export {
  applySets,
  audit,
  components,
  drain,
  explain,
  links,
  nodes,
  plan,
  sets,
} from './master-client.js'
export { lacking, rollback, versions } from './versions.js'
export { where } from './where.js'

/**
 * What the node at `address` holds: whole files by name, then trees, one each, or with a glob what
 * matches in them, then partials.
 */
export function list(
  address: string,
  options: ListOptions = {},
): AsyncGenerator<HeldFile, void, undefined> {
  const node = requireAddressText(address, 'address')
  requireOptions('list', options)
  checkAsking(options)
  const glob = options.glob === undefined ? null : checkGlob(options.glob)
  return askingEach(node, options, pageMs, async function* ({ inquiry, ...within }) {
    for await (const found of listHeld(inquiry, within, glob)) yield heldFile(node, found)
  })
}

/**
 * Removes a file or a tree that the node holds, an entry of a tree, or what an unfinished transfer
 * of that name left. A directory of a tree goes with all that was pushed into it; what else is in
 * it stays. Rejects with ERR_FR_NOT_HELD when there is nothing, ERR_FR_BUSY while a transfer
 * writes the name.
 */
export async function remove(
  address: string,
  name: string | Uint8Array,
  options: RemoveOptions = {},
): Promise<RemoveResult> {
  const node = requireAddressText(address, 'address')
  requireOptions('remove', options)
  requireBoolean('glob', options.glob)
  const isGlob = options.glob === true
  const bytes = isGlob ? checkGlob(name) : checkHeldName(name, 'name')
  const removed = await asking(node, options, wordMs, ({ inquiry, ...within }) =>
    askToRemove(inquiry, within, bytes, isGlob),
  )
  const { entries, kept, failedCount, text } = removed
  const reason = failedCount === 0 ? null : text
  return { event: 'removed', node, ...shownName(bytes), entries, kept, failedCount, reason }
}

/**
 * Has the node read files and compare them with their digests, one after the other: progress, and
 * one report for each. A file that fails is a report, not an error.
 */
export function verify(
  address: string,
  options: VerifyOptions = {},
): AsyncGenerator<VerifyProgress | VerifyReport, void, undefined> {
  const node = requireAddressText(address, 'address')
  requireOptions('verify', options)
  checkAsking(options)
  if (options.names !== undefined && !Array.isArray(options.names))
    throw new TypeError('names must be a list of names')
  if (options.names !== undefined && options.glob !== undefined)
    throw new TypeError('either names or glob')
  const names = options.names?.map((name, at) => checkHeldName(name, `names[${at}]`))
  const glob = options.glob === undefined ? null : checkGlob(options.glob)
  return askingEach(node, options, wordMs, async function* (opened) {
    for await (const name of names ?? wholeOnes(opened, glob)) yield* verifyOne(node, opened, name)
  })
}

/** What is in a tree that matches by itself is verified with it. */
async function* wholeOnes(
  { inquiry, ...within }: Asking,
  glob: Uint8Array | null,
): AsyncGenerator<Uint8Array> {
  let tree: Uint8Array | undefined
  for await (const { name, entry } of listHeld(inquiry, within, glob)) {
    const { kind, state } = entry
    if (kind === 'tree') tree = name
    else if (isUnfinished(state) || kind === 'directory') continue
    else if (tree !== undefined && isWithin(name, tree)) continue
    yield name
  }
}

/** Progress that is not taken in time is passed over: only the newest counts. */
async function* verifyOne(
  node: string,
  { inquiry, ...within }: Asking,
  name: Uint8Array,
): AsyncGenerator<VerifyProgress | VerifyReport> {
  const shown = { node, ...shownName(name) }
  let news: VerifyProgress | undefined
  let wake = (): void => {}
  let isOver = false
  const verdict = askToVerify(inquiry, within, name, (readBytes, bytes) => {
    news = { event: 'verifying', ...shown, readBytes, bytes }
    wake()
  }).finally(() => {
    isOver = true
    wake()
  })
  // Awaited below, perhaps later than it fails.
  verdict.catch(() => {})
  while (!isOver) {
    if (news === undefined)
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    const progress = news
    news = undefined
    if (progress !== undefined && !isOver) yield progress
  }
  yield { event: 'verified', ...shown, ...found(await verdict) }
}

type Outcome = Omit<VerifyReport, 'event' | 'node' | 'name' | 'nameBase64'>

function found({ code, text, bytes, badBytes, fileDigest, tree }: Verdict): Outcome {
  const failures = tree?.failures.map(({ name, ...why }) => ({ ...shownName(name), ...why }))
  return {
    status: code === null ? 'good' : 'failed',
    bytes,
    badBytes,
    entries: tree?.entries ?? null,
    failedCount: tree?.failedCount ?? (code === null ? 0 : 1),
    failures: failures ?? [],
    digest: fileDigest,
    code,
    retryable: code !== null && new FrError(code).retryable,
    reason: code === null ? null : `${code}: ${text}`,
  }
}
