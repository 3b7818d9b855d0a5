/**
 * The manifest lists the streams of a transfer. It travels in pages (frames `manifest`); the offer
 * announces their number, the number of streams and the sum of their sizes.
 *
 * Whoever offers them signs each page, over a binary form of its entries instead of JSON text, so
 * that the signature does not depend on the spelling of the JSON. An entry names the author of its
 * content, who need not be the same: any holder can offer what somebody else has signed.
 *
 * Names are bytes. UTF-8 names travel as text, others as base64url, never the other way round: each
 * name has one spelling, so that duplicates are found.
 */
import {
  base64urlOf,
  bytesOfBase64url,
  bytesOfHex,
  concat,
  hexOf,
  textOf,
  u32,
  u64,
  utf8,
} from '../base/bytes.js'
import { codingNumber } from '../base/coding.js'
import { FrError } from '../base/errors.js'
import { blockBytesFor, limits } from '../base/limits.js'
import type { Attributes, Frame, NameText, StreamEntry } from '../control/messages/types.js'
import { codedBytes, readCoded } from './coded-entry.js'
import { type Fields, protocolError } from './fields.js'
import { readOnly } from './only.js'
import type { Primitives, Signer } from './primitives.js'

export type ManifestPage = Extract<Frame, { type: 'manifest' }>

/** Summary of the manifest in the offer. */
export interface ManifestSummary {
  readonly streams: number
  readonly bytes: number
  readonly manifestPages: number
}

/** Name fields of an entry for the bytes of a name. */
export function encodeName(name: Uint8Array): NameText {
  const text = textOf(name)
  return text === null
    ? { name: base64urlOf(name), nameIsBase64: true }
    : { name: text, nameIsBase64: false }
}

/** Bytes of an entry's name. Throws ERR_FR_PROTOCOL for a form that encodeName never produces. */
export function decodeName(entry: NameText): Uint8Array {
  const bytes = entry.nameIsBase64 ? bytesOfBase64url(entry.name) : utf8(entry.name)
  if (bytes === null) throw protocolError('a name is not base64url')
  if (bytes.length === 0 || bytes.length > limits.nameBytes) {
    throw protocolError(`a name has ${bytes.length} bytes, not 1..${limits.nameBytes}`)
  }
  const form = encodeName(bytes)
  if (form.name !== entry.name || form.nameIsBase64 !== entry.nameIsBase64) {
    throw protocolError('a name is not in its canonical form')
  }
  return bytes
}

/** Reads the name fields of an entry. The storage confines the name. */
export function readName(entry: Fields): NameText {
  const read = {
    name: entry.string('name', Math.ceil((limits.nameBytes * 4) / 3)),
    nameIsBase64: entry.boolean('nameIsBase64'),
  }
  decodeName(read)
  return read
}

/** Reads one entry of a page. */
export function readStreamEntry(entry: Fields): StreamEntry {
  const isGrowing = entry.has('growing') && readGrowing(entry)
  const size = entry.integer('size', 0, isGrowing ? limits.growingSpanBytes : limits.fileBytes)
  const { least, most } = isGrowing ? growingSpan : { least: size, most: limits.spaceBytes }
  const span = entry.integer('span', least, most)
  return {
    stream: entry.integer('stream', 0, 0xffff_ffff),
    contentId: entry.hex('contentId', 32),
    author: entry.hex('author', 2 * limits.publicKeyBytes),
    ...readName(entry),
    base: entry.integer('base', 0, limits.spaceBytes - span),
    span,
    size,
    dataBytes: entry.integer('dataBytes', isGrowing ? size : 0, size),
    ...(isGrowing && { growing: true as const }),
    ...readOnly(entry),
    ...readAttributes(entry),
    ...(entry.has('coded') && { coded: readCoded(entry.object('coded')) }),
  }
}

const growingSpan = { least: limits.growingSpanBytes, most: limits.growingSpanBytes }

/** What grows is a file as it is: whoever reads it before it is whole could decode nothing. */
function readGrowing(entry: Fields): true {
  if (!entry.boolean('growing')) return entry.refuse('growing', 'is not true')
  return entry.has('coded') ? entry.refuse('coded', 'is of a content that grows') : true
}

export function readAttributes(fields: Fields): Attributes {
  return {
    mode: fields.integer('mode', 0, 0o7777),
    mtimeSeconds: fields.integer('mtimeSeconds', -(2 ** 43), 2 ** 43),
    mtimeNanos: fields.integer('mtimeNanos', 0, 999_999_999),
  }
}

/** Binary form of an entry; coding and seal 0 mean as it is and not encrypted. */
function entryBytes(entry: StreamEntry): Uint8Array {
  const { coded } = entry
  const name = utf8(entry.name)
  const seconds = new Uint8Array(8)
  new DataView(seconds.buffer).setBigInt64(0, BigInt(entry.mtimeSeconds), true)
  const coding = coded === undefined ? 0 : codingNumber[coded.coding]
  const only = entry.only === undefined ? undefined : utf8(entry.only)
  const [seal, flags] = [0, (entry.growing ? 1 : 0) | (only ? 2 : 0)]
  return concat(
    u32(entry.stream),
    bytesOfHex(entry.contentId) ?? new Uint8Array(),
    bytesOfHex(entry.author) ?? new Uint8Array(),
    u64(entry.base),
    u64(entry.span),
    u64(entry.size),
    u64(entry.dataBytes),
    u32(entry.mode),
    seconds,
    u32(entry.mtimeNanos),
    Uint8Array.of(entry.nameIsBase64 ? 1 : 0, coding, seal, flags),
    u32(name.length),
    name,
    ...(coded === undefined ? [] : [codedBytes(coded)]),
    ...(only === undefined ? [] : [u32(only.length), only]),
  )
}

/** The bytes of a page that are signed. */
function statementOf({ page, entries }: Pick<ManifestPage, 'page' | 'entries'>): Uint8Array {
  return concat(utf8('fastreplica 1 manifest'), u32(page), ...entries.map(entryBytes))
}

export function signPage(
  signer: Signer,
  page: number,
  entries: readonly StreamEntry[],
): ManifestPage {
  const signature = hexOf(signer.sign(statementOf({ page, entries })))
  return { type: 'manifest', page, entries, signature }
}

/**
 * Cuts entries into signed pages of at most limits.manifestPageBytes and returns the offer's
 * summary. Throws ERR_FR_LIMIT when there are too many streams or pages.
 */
export function paginate(
  entries: readonly StreamEntry[],
  signer: Signer,
): { pages: ManifestPage[]; summary: ManifestSummary } {
  if (entries.length > limits.streamsPerTransfer) {
    throw new FrError('ERR_FR_LIMIT', `more than ${limits.streamsPerTransfer} streams`)
  }
  const pageOverhead = utf8('{"page":0000,"entries":[],"signature":""}').length
  const pages: StreamEntry[][] = []
  let last: StreamEntry[] = []
  let room = 0
  let bytes = 0
  for (const entry of entries) {
    const needed = utf8(JSON.stringify(entry)).length + 1
    if (needed > room || last.length === limits.manifestPageEntries) {
      last = []
      pages.push(last)
      room = limits.manifestPageBytes - pageOverhead - 2 * limits.signatureBytes
    }
    last.push(entry)
    room -= needed
    bytes += entry.size
  }
  if (pages.length > limits.manifestPages || !Number.isSafeInteger(bytes)) {
    throw new FrError('ERR_FR_LIMIT', 'the manifest is too large')
  }
  const signed = pages.map((entries, page) => signPage(signer, page, entries))
  return { pages: signed, summary: { streams: entries.length, bytes, manifestPages: pages.length } }
}

/**
 * Assembles pages in any order. Holds at most what the offer announced; every contradiction is
 * ERR_FR_PROTOCOL.
 */
export class ManifestAssembler {
  readonly #summary: ManifestSummary
  readonly #primitives: Primitives
  readonly #author: Uint8Array
  readonly #pages = new Map<number, readonly StreamEntry[]>()
  readonly #streams = new Set<number>()
  readonly #names = new Set<string>()
  #bytes = 0

  /** `summary` is from the offer, `author` its public key. */
  constructor(summary: ManifestSummary, primitives: Primitives, author: Uint8Array) {
    this.#summary = summary
    this.#primitives = primitives
    this.#author = author
    // No page is empty, so more pages than streams contradict each other.
    if (summary.manifestPages > summary.streams) {
      throw protocolError('the manifest has more pages than streams')
    }
  }

  /** Returns the entries in page order with the last missing page, null before. */
  add(page: ManifestPage): StreamEntry[] | null {
    const { manifestPages, streams, bytes } = this.#summary
    if (page.page < 0 || page.page >= manifestPages) {
      throw protocolError(`manifest page ${page.page} is out of range`)
    }
    if (this.#pages.has(page.page)) throw protocolError(`manifest page ${page.page} came twice`)
    if (page.entries.length === 0) throw protocolError(`manifest page ${page.page} is empty`)
    const signature = bytesOfHex(page.signature) ?? new Uint8Array()
    if (!this.#primitives.verify(this.#author, signature, statementOf(page)))
      throw protocolError(`the signature of manifest page ${page.page} is wrong`)
    for (const entry of page.entries) this.#take(entry, streams, bytes)
    this.#pages.set(page.page, page.entries)
    return this.#pages.size === manifestPages ? this.#finish() : null
  }

  #take(entry: StreamEntry, streams: number, bytes: number): void {
    if (this.#streams.has(entry.stream)) throw protocolError(`stream ${entry.stream} came twice`)
    if (this.#streams.size === streams) throw protocolError('the manifest has too many streams')
    const name = `${entry.nameIsBase64 ? 'b' : 't'}${entry.name}`
    if (this.#names.has(name)) throw protocolError('two streams have one name')
    if (entry.size > bytes - this.#bytes) throw protocolError('the manifest has too many bytes')
    this.#streams.add(entry.stream)
    this.#names.add(name)
    this.#bytes += entry.size
  }

  #finish(): StreamEntry[] {
    if (this.#streams.size !== this.#summary.streams) {
      throw protocolError('the manifest has fewer streams than announced')
    }
    if (this.#bytes !== this.#summary.bytes) {
      throw protocolError('the manifest has fewer bytes than announced')
    }
    const pages = [...this.#pages].sort(([a], [b]) => a - b)
    const entries = pages.flatMap(([, page]) => page)
    let end = 0
    for (const { stream, base, span, size, growing } of entries) {
      const blockBytes = growing ? limits.blockBytesMax : blockBytesFor(size)
      if (base < end || base % blockBytes !== 0)
        throw protocolError(`stream ${stream} begins before the end of the last, or in a block`)
      end = base + span
    }
    return entries
  }
}
