/**
 * A signed announcement, opaque to whoever passes it on and the same bytes on every hop:
 *
 *     64 bytes signature | JSON of all fields but the id
 *
 * The signature is over a label and the JSON as it came, so that nobody has to spell it anew, and
 * the id is a digest of the same bytes: it does not depend on the signature, and a copy of a record
 * is known by it. Offsets of cuts travel as distances from the one before.
 */
import { bytesOfHex, concat, hexOf, utf8 } from '../base/bytes.js'
import { mayHave } from '../base/content-rights.js'
import { contentFormats, type Division, divisionFault, type Track } from '../base/division.js'
import { limits } from '../base/limits.js'
import type { RangePair } from '../base/ranges.js'
import { type Announcement, announcementKinds } from '../control/messages/announcing.js'
import { type Fields, parseObject, protocolError } from './fields.js'
import { readFileDigest } from './file-digest.js'
import { decodeName } from './manifest.js'
import { readCriteria, readOnly } from './only.js'
import type { Primitives, Signer } from './primitives.js'
import { readInitiator } from './publishing.js'

const label = utf8('fastreplica 1 announcement')

/** What an author says; the id and the author follow from it and the key. */
export type AnnouncementDraft = Omit<Announcement, 'id' | 'author'>

/** Throws TypeError for what no reader would take. */
export function signAnnouncement(author: Signer, draft: AnnouncementDraft): Uint8Array {
  const { where, allow, division, ...plain } = draft
  const said = {
    ...plain,
    only: where,
    ...(allow !== null && { allow }),
    author: hexOf(author.publicKey),
    division: { ...division, tracks: division.tracks.map(written) },
  }
  const body = utf8(JSON.stringify(said))
  const record = concat(author.sign(concat(label, body)), body)
  if (record.length > limits.announcementBytes)
    throw new TypeError(`an announcement has more than ${limits.announcementBytes} bytes`)
  return record
}

/**
 * What a record announces. Throws ERR_FR_PROTOCOL when it cannot be read or its author has not
 * signed it; whoever sent it may only have passed it on.
 */
export function readAnnouncement(primitives: Primitives, record: Uint8Array): Announcement {
  if (record.length > limits.announcementBytes)
    throw protocolError(`an announcement has more than ${limits.announcementBytes} bytes`)
  const body = record.subarray(limits.signatureBytes)
  const fields = parseObject(body, 'announcement')
  const author = fields.hex('author', 2 * limits.publicKeyBytes)
  const signature = record.subarray(0, limits.signatureBytes)
  const key = bytesOfHex(author) ?? new Uint8Array()
  if (!primitives.verify(key, signature, concat(label, body)))
    throw protocolError('the signature of an announcement is wrong')
  const id = hexOf(primitives.hmac(label, body).subarray(0, 16))
  return { id, author, ...readDraft(fields) }
}

function readDraft(fields: Fields): AnnouncementDraft {
  const kind = fields.oneOf('kind', announcementKinds)
  const size = fields.integer('size', 0, limits.fileBytes)
  const { only } = readOnly(fields)
  const issuedAtMs = fields.integer('issuedAtMs', 0, Number.MAX_SAFE_INTEGER)
  return {
    kind,
    name: readTextName(fields),
    contentId: fields.hex('contentId', 32),
    digest: readFileDigest(fields, 'digest'),
    size,
    where: only ?? fields.refuse('only', 'is missing'),
    allow: readAllowed(fields, only),
    issuedAtMs,
    expiresAtMs: fields.isNull('expiresAtMs') ? null : readExpiry(fields, issuedAtMs),
    initiator: readInitiator(fields.object('initiator')),
    division: readDivision(fields, kind === 'publish' ? size : 0),
  }
}

/** Both criteria together are criteria, too. */
function readAllowed(fields: Fields, where = ''): string | null {
  if (!fields.has('allow')) return null
  const allow = readCriteria(fields, 'allow')
  try {
    mayHave(where, allow)
  } catch {
    fields.refuse('allow', 'is too long beside the criteria')
  }
  return allow
}

function readExpiry(fields: Fields, issuedAtMs: number): number {
  const { publishTtlMs, publishTtlMsMax } = limits
  return fields.integer('expiresAtMs', issuedAtMs + publishTtlMs, issuedAtMs + publishTtlMsMax)
}

/** Names of published contents are text. The storage confines them. */
function readTextName(fields: Fields): string {
  const name = fields.string('name', limits.nameBytes)
  decodeName({ name, nameIsBase64: false })
  return name
}

function readDivision(announcement: Fields, size: number): Division {
  const fields = announcement.object('division')
  const division = {
    format: fields.oneOf('format', contentFormats),
    isLinear: fields.boolean('isLinear'),
    blockBytes: fields.integer('blockBytes', limits.blockFileBytesMin, limits.blockFileBytesMax),
    tracks: fields.list('tracks', limits.tracks, readTrack),
  }
  const fault = divisionFault(division, size)
  return fault === null ? division : announcement.refuse('division', `is wrong: ${fault}`)
}

interface WrittenTrack extends Omit<Track, 'cuts' | 'ranges'> {
  /** Offset, length, offset, length... */
  readonly ranges: readonly number[]
  readonly gaps: readonly number[]
}

function written({ name, ranges, bitRate, cuts }: Track): WrittenTrack {
  const gaps = cuts.map((cut, at) => cut - (cuts[at - 1] ?? 0))
  return { name, ranges: ranges.flat(), bitRate, gaps }
}

function readTrack(fields: Fields): Track {
  const most = Number.MAX_SAFE_INTEGER
  const numbers = fields.integers('ranges', 2 * limits.trackRanges, 0, most)
  if (numbers.length % 2 === 1) fields.refuse('ranges', 'is not a list of pairs')
  const ranges: RangePair[] = []
  for (let at = 0; at < numbers.length; at += 2)
    ranges.push([numbers[at] as number, numbers[at + 1] as number])
  let last = 0
  const cuts = fields.integers('gaps', limits.trackCuts, 1, most).map((gap) => (last += gap))
  if (last > most) fields.refuse('gaps', 'goes beyond all contents')
  return {
    name: fields.string('name', limits.trackNameChars),
    ranges,
    bitRate: fields.isNull('bitRate') ? null : fields.integer('bitRate', 1, limits.bitRateMax),
    cuts,
  }
}
