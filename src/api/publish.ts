/**
 * `publish`: a content by criteria, handed to one node, from which all nodes that match get it; and
 * `unpublish`.
 *
 * Once the node has all of it (publish-sending.ts), where only nodes that match may have it (as by
 * `push` with `only`), the client signs an announcement, which the node spreads. A client that was
 * cut off before that does the same again: what was sent is there.
 */
import { basename } from 'node:path'
import { type AnnouncementDraft, askAboutName, askToAnnounce } from '../agent/publish-client.js'
import { isAnyHost, parseAddress } from '../base/addresses.js'
import { hexOf, textOf, utf8 } from '../base/bytes.js'
import { allowedBy, mayHave } from '../base/content-rights.js'
import { canonical, parseCriteria } from '../base/criteria.js'
import { blockFiles, type Division, trackBytes } from '../base/division.js'
import { FrError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { nowMs } from '../base/time/awake.js'
import type { Initiator } from '../control/messages/announcing.js'
import type { Publishable, PublishedContent } from '../control/messages/publishing.js'
import { requireAddressText } from '../net/address.js'
import { signerOf } from '../net/crypto.js'
import { clientKey } from '../store/identity.js'
import { requireSignal, requireText } from './checks.js'
import { checkHeldName } from './held-name.js'
import { asking, checkAsking, pageMs } from './inquiry.js'
import { requireOptions } from './option-names.js'
import { type Sending, type Sent, sendFile, sendStream } from './publish-sending.js'
import type {
  PublishedTrack,
  PublishOptions,
  PublishResult,
  UnpublishOptions,
  UnpublishResult,
} from './publish-types.js'

/** A path, or a stream, which is sent while it comes. */
export type PublishSource = string | AsyncIterable<Uint8Array | string>

/**
 * Resolves once the node has announced the content. Rejects with what the node refuses it by
 * (ERR_FR_ONLY where it is none of those that match), ERR_FR_SOURCE for what is no file,
 * ERR_FR_SOURCE_CHANGED, ERR_FR_CRITERIA, ERR_FR_RIGHT and as `push` and `client.list`.
 */
export async function publish(
  source: PublishSource,
  options: PublishOptions,
): Promise<PublishResult> {
  const startedMs = nowMs()
  const checked = checkPublish(source, options)
  const sent = await (typeof source === 'string'
    ? sendFile(source, checked)
    : sendStream(source, checked))
  return announced(sent, checked, startedMs)
}

interface Checked extends Sending {
  readonly where: string
  readonly allow: string | null
}

function checkPublish(source: PublishSource, options: PublishOptions): Checked {
  requireOptions('publish', options)
  checkAsking(options)
  const { via, as, ttlSeconds } = options
  const node = requireAddressText(via, 'via')
  requireText('where', options.where)
  const where = canonical(parseCriteria(options.where))
  if (options.allow !== undefined) requireText('allow', options.allow)
  const allow = options.allow === undefined ? null : allowedBy(options.allow)
  const only = mayHave(where, allow)
  const isPath = typeof source === 'string'
  if (!isPath && as === undefined) throw new TypeError('as must name what comes from a stream')
  const name = as ?? basename(source as string)
  requireText('as', name)
  checkHeldName(name, 'as')
  if (textOf(utf8(name)) !== name) throw new TypeError('as must be valid Unicode')
  const [least, most] = [limits.publishTtlMs / 1000, limits.publishTtlMsMax / 1000]
  if (ttlSeconds !== undefined && !(ttlSeconds >= least && ttlSeconds <= most))
    throw new TypeError(`ttlSeconds must be a number from ${least} to ${most}`)
  return { options, node, name, where, allow, only }
}

async function announced(
  sent: Sent,
  { options, node, name, where, allow, only }: Checked,
  startedMs: number,
): Promise<PublishResult> {
  const { signal, ttlSeconds } = options
  const key = signerOf(await clientKey())
  return asking(node, askingOf(options), pageMs, async ({ inquiry, ...within }) => {
    const { initiator, held, published } = await askAboutName(inquiry, within, name)
    const content = requireHeld(held, sent.digest, only)
    const issuedAtMs = Date.now()
    const ttlMs = ttlSeconds === undefined ? null : Math.round(ttlSeconds * 1000)
    const { division } = sent
    signal?.throwIfAborted()
    const announcement = await askToAnnounce(inquiry, within, key, {
      kind: 'publish',
      ...{ name, contentId: content.contentId, digest: content.fileDigest, size: content.size },
      ...{ where, allow, issuedAtMs, division, initiator: reachable(initiator, node) },
      expiresAtMs: ttlMs === null ? null : issuedAtMs + ttlMs,
    })
    // One content has the name: what this user has published under it before ends.
    const isOver = (one: PublishedContent): boolean => one.contentId !== content.contentId
    const author = hexOf(key.publicKey)
    for (const one of published.filter((each) => each.author === author && isOver(each)))
      await askToAnnounce(inquiry, within, key, withdrawalOf(name, one))
    const { format, isLinear, blockBytes } = division
    return {
      event: 'published',
      ...{ name, node, announcement, contentId: content.contentId, digest: content.fileDigest },
      ...{ bytes: content.size, where, allow, ttlSeconds: ttlSeconds ?? null },
      ...{ format, isLinear, blockBytes, tracks: tracksOf(division) },
      seconds: (nowMs() - startedMs) / 1000,
    }
  })
}

function requireHeld(held: Publishable | null, digest: string, only: string): Publishable {
  if (held?.fileDigest !== digest)
    throw new FrError('ERR_FR_BUSY', 'somebody else has given the name to another content')
  if (held.only !== only) {
    const who = held.only === null ? 'whoever asks' : held.only
    const text = `the node holds this very content for ${who}: remove it there first (fr rm)`
    throw new FrError('ERR_FR_EXISTS', text)
  }
  return held
}

/** What the client has reached, where the node only knows that it listens everywhere. */
function reachable(initiator: Initiator, dialled: string): Initiator {
  const isAnywhere = isAnyHost(parseAddress(initiator.address)?.host ?? '')
  return isAnywhere ? { ...initiator, address: dialled } : initiator
}

function tracksOf({ tracks, blockBytes }: Division): PublishedTrack[] {
  return tracks.map((track) => {
    let blocks = 0
    for (const _ of blockFiles(track, blockBytes)) blocks++
    return { name: track.name, bytes: trackBytes(track), blocks, bitRate: track.bitRate }
  })
}

/**
 * Withdraws all that this user has published under the name: nodes drop those contents. Rejects
 * with ERR_FR_NOT_HELD where the node knows of none.
 */
export async function unpublish(name: string, options: UnpublishOptions): Promise<UnpublishResult> {
  requireOptions('unpublish', options)
  checkAsking(options)
  const node = requireAddressText(options.via, 'via')
  requireText('name', name)
  checkHeldName(name, 'name')
  const key = signerOf(await clientKey())
  const author = hexOf(key.publicKey)
  const { timeoutMs } = options
  const asked = { ...askingOf(options), ...(timeoutMs !== undefined && { timeoutMs }) }
  return asking(node, asked, pageMs, async ({ inquiry, ...within }) => {
    const { published } = await askAboutName(inquiry, within, name)
    const own = published.filter((one) => one.author === author)
    if (own.length === 0) {
      const text = 'the node knows of nothing that this user has published under the name'
      throw new FrError('ERR_FR_NOT_HELD', text, { node })
    }
    const contents: { contentId: string; announcement: string }[] = []
    for (const one of own) {
      const announcement = await askToAnnounce(inquiry, within, key, withdrawalOf(name, one))
      contents.push({ contentId: one.contentId, announcement })
    }
    return { event: 'unpublished', name, node, contents }
  })
}

function withdrawalOf(name: string, published: PublishedContent): AnnouncementDraft {
  const { contentId, fileDigest: digest, size, only, initiator, issuedAtMs } = published
  return {
    kind: 'unpublish',
    ...{ name, contentId, digest, size, where: only ?? '', allow: null, initiator },
    // Only the newest word about a content counts.
    issuedAtMs: Math.max(Date.now(), issuedAtMs + 1),
    expiresAtMs: null,
    division: { format: 'bytes', isLinear: true, blockBytes: limits.blockFileBytes, tracks: [] },
  }
}

function askingOf({ key, tls, signal }: PublishOptions | UnpublishOptions) {
  requireSignal(signal)
  return { ...(key && { key }), ...(tls && { tls }), ...(signal && { signal }) }
}
