import { describe, expect, it } from 'vitest'
import { base64urlOf, bytesOfBase64url, bytesOfHex, hexOf, utf8 } from '../../../src/base/bytes.js'
import { blockBytesFor, limits } from '../../../src/base/limits.js'
import type { StreamEntry } from '../../../src/control/messages/types.js'
import { spanBytes } from '../../../src/control/space/space.js'
import { nodePrimitives } from '../../../src/net/crypto.js'
import { Fields } from '../../../src/protocol/fields.js'
import { decodeBody, encodeBody } from '../../../src/protocol/frames.js'
import {
  decodeName,
  encodeName,
  ManifestAssembler,
  type ManifestPage,
  type ManifestSummary,
  paginate,
  readStreamEntry,
  signPage,
} from '../../../src/protocol/manifest.js'
import fc from '../../support/property.js'
import { onlyFrError, rawName, refusal, seededSigner, streamEntry } from './support.js'

const author = seededSigner(1)
const contentId = 'c0'.repeat(16)
const writer = 'a7'.repeat(32)

function assemblerOf(summary: ManifestSummary, key = author.publicKey): ManifestAssembler {
  return new ManifestAssembler(summary, nodePrimitives, key)
}

const spanOf = (size: number): number => spanBytes(size, blockBytesFor(size))

function entryOf(stream: number, fields: Partial<StreamEntry> = {}): StreamEntry {
  const name = `file ${stream}`
  const times = { mtimeSeconds: 1_700_000_000, mtimeNanos: 5 }
  const { size = 10 } = fields
  const place = { base: stream * spanOf(size), span: spanOf(size) }
  const file = { ...place, size, dataBytes: size, mode: 0o644 }
  return {
    stream,
    contentId,
    author: writer,
    name,
    nameIsBase64: false,
    ...file,
    ...times,
    ...fields,
  }
}

/** The same entries, each where the last one ends. */
function inARow(entries: readonly StreamEntry[]): StreamEntry[] {
  let end = 0
  return entries.map((entry) => {
    const { size } = entry
    const base = spanBytes(end, blockBytesFor(size))
    end = base + spanOf(size)
    return { ...entry, base, span: spanOf(size) }
  })
}

function threePages(): { pages: ManifestPage[]; summary: ManifestSummary } {
  const long = (stream: number): StreamEntry =>
    entryOf(stream, { name: `${stream}${'n'.repeat(limits.nameBytes - 20)}` })
  return paginate(
    Array.from({ length: 150 }, (_, stream) => long(stream)),
    author,
  )
}

describe('names', () => {
  it('come back as the bytes they were', () => {
    fc.assert(
      fc.property(rawName, (name) => {
        const form = encodeName(name)
        expect(decodeName(form)).toEqual(name)
        expect(form.nameIsBase64).toBe(
          Buffer.compare(Buffer.from(Buffer.from(name).toString()), name) !== 0,
        )
      }),
      { numRuns: 500 },
    )
  })

  it.each([
    ['UTF-8 spelled as base64url', { name: base64urlOf(utf8('plain')), nameIsBase64: true }],
    ['padding', { name: '_w==', nameIsBase64: true }],
    ['bits left over', { name: '_x', nameIsBase64: true }],
    ['half a byte', { name: '_', nameIsBase64: true }],
    ['foreign characters', { name: '+w', nameIsBase64: true }],
    ['a lone surrogate', { name: 'a\ud800', nameIsBase64: false }],
    ['nothing', { name: '', nameIsBase64: false }],
    ['too many bytes', { name: 'ä'.repeat(limits.nameBytes / 2 + 1), nameIsBase64: false }],
  ])('of %s are refused', (_, form) => {
    refusal(() => decodeName(form))
  })

  it('keep a byte order mark', () => {
    const name = Uint8Array.of(0xef, 0xbb, 0xbf, 0x61)
    expect(decodeName(encodeName(name))).toEqual(name)
  })
})

describe('base64url and hex', () => {
  it('agree with Buffer', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), (bytes) => {
        expect(base64urlOf(bytes)).toBe(Buffer.from(bytes).toString('base64url'))
        expect(bytesOfBase64url(base64urlOf(bytes))).toEqual(bytes)
        expect(hexOf(bytes)).toBe(Buffer.from(bytes).toString('hex'))
        expect(bytesOfHex(hexOf(bytes))).toEqual(bytes)
      }),
    )
  })

  it('have one text for each value', () => {
    const near = fc.string({ unit: fc.constantFrom(...'AZaz09-_=+/ '), maxLength: 12 })
    fc.assert(
      fc.property(near, (text) => {
        const bytes = bytesOfBase64url(text)
        if (bytes !== null) expect(base64urlOf(bytes)).toBe(text)
      }),
      { numRuns: 1000 },
    )
    expect(bytesOfHex('AB')).toBeNull()
    expect(bytesOfHex('abc')).toBeNull()
  })
})

describe('a manifest', () => {
  it('comes back whole, its pages in any order', () => {
    const entries = fc.uniqueArray(streamEntry, {
      selector: (entry) => entry.stream,
      minLength: 1,
      maxLength: 30,
    })
    fc.assert(
      fc.property(entries, (drawn) => {
        const distinct = inARow([...new Map(drawn.map((entry) => [entry.name, entry])).values()])
        const { pages, summary } = paginate(distinct, author)
        const assembler = assemblerOf(summary)
        const given = pages.map((page) => {
          const body = encodeBody(page)
          return assembler.add(decodeBody(body.type, body.bytes) as ManifestPage)
        })
        expect(given.at(-1)).toEqual(distinct)
      }),
    )
    const { pages, summary } = threePages()
    expect(pages).toHaveLength(3)
    const assembler = assemblerOf(summary)
    const shuffled = [2, 0, 1].map((index) => assembler.add(pages[index] as ManifestPage))
    expect(shuffled.slice(0, 2)).toEqual([null, null])
    expect(shuffled[2]?.map((entry) => entry.stream)).toEqual([...Array(150).keys()])
  })

  it('has pages that fill but never exceed their bound', () => {
    const sizes = threePages().pages.map((page) => encodeBody(page).bytes.length)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(limits.manifestPageBytes)
    expect(Math.max(...sizes)).toBeGreaterThan(limits.manifestPageBytes - 2 * limits.nameBytes)
  })

  it.each([
    ['overlap', [{ base: 0, span: 65_537 }, { base: 65_536 }]],
    ['go back', [{ base: 65_536 }, { base: 0 }]],
    ['begin in a block', [{ base: 1 }, { base: 65_536 * 3 }]],
  ])('whose spans %s is refused', (_, places) => {
    const entries = places.map((place, stream) => entryOf(stream, place))
    const { pages, summary } = paginate(entries, author)
    refusal(() => assemblerOf(summary).add(pages[0] as ManifestPage))
  })

  it('is signed over the binary form of its entries', () => {
    const size = { base: 2 ** 41, span: 2 ** 42, size: 2 ** 40, dataBytes: 2 ** 32 }
    const entry = entryOf(258, { name: 'é', ...size, mtimeSeconds: -1, mtimeNanos: 3 })
    const statement = Buffer.concat([
      Buffer.from('fastreplica 1 manifest'),
      Buffer.from('00000000', 'hex'),
      Buffer.from('02010000', 'hex'),
      Buffer.from(contentId, 'hex'),
      Buffer.from(writer, 'hex'),
      Buffer.from('0000000000020000', 'hex'),
      Buffer.from('0000000000040000', 'hex'),
      Buffer.from('0000000000010000', 'hex'),
      Buffer.from('0000000001000000', 'hex'),
      Buffer.from('a4010000', 'hex'),
      Buffer.from('ff'.repeat(8), 'hex'),
      Buffer.from('03000000', 'hex'),
      Buffer.from('00000000', 'hex'),
      Buffer.from('02000000c3a9', 'hex'),
    ])
    const { pages, summary } = paginate([entry], author)
    expect(summary).toEqual({ streams: 1, bytes: 2 ** 40, manifestPages: 1 })
    expect(pages[0]?.signature).toBe(hexOf(author.sign(statement)))
  })

  it('tells what still grows', () => {
    const span = limits.growingSpanBytes
    const grows = entryOf(0, { growing: true, base: 0, span, size: 10 })
    const page = signPage(author, 0, [grows])
    const { type, bytes } = encodeBody(page)
    expect(decodeBody(type, bytes)).toEqual(page)
    const { growing: _, ...whole } = grows
    expect(signPage(author, 0, [whole]).signature).not.toBe(page.signature)
    const wrong = [{ span: 2 * span }, { span: 10 }, { size: span + 1, dataBytes: span + 1 }]
    const others = [{ dataBytes: 9 }, { growing: false }, { growing: 1 }, { coded: {} }]
    for (const fields of [...wrong, ...others])
      refusal(() => readStreamEntry(new Fields({ ...grows, ...fields }, 'entry')))
    const late = { ...grows, base: 65_536 }
    const { pages, summary } = paginate([late], author)
    refusal(() => assemblerOf(summary).add(pages[0] as ManifestPage))
  })

  it('tells for whom a content is, in one spelling, and signs that', () => {
    const narrow = entryOf(0, { only: 'gpu && (site=eu || site=us)' })
    const page = signPage(author, 0, [narrow])
    const { type, bytes } = encodeBody(page)
    expect(decodeBody(type, bytes)).toEqual(page)
    const { only: _, ...open } = narrow
    for (const entry of [open, { ...narrow, only: 'gpu' }])
      expect(signPage(author, 0, [entry]).signature).not.toBe(page.signature)
    for (const only of ['', 'site =eu', 'a=', '!!a', 5, null, 'a'.repeat(2_000)])
      refusal(() => readStreamEntry(new Fields({ ...narrow, only }, 'entry')))
    const { pages, summary } = paginate([narrow], author)
    const stripped = { ...(pages[0] as ManifestPage), entries: [open] }
    refusal(() => assemblerOf(summary).add(stripped))
  })

  it('too large to be sent is refused', () => {
    const huge = entryOf(0, { size: Number.MAX_SAFE_INTEGER })
    refusal(() => paginate([huge, { ...huge, stream: 1 }], author), 'ERR_FR_LIMIT')
    const many = new Array<StreamEntry>(limits.streamsPerTransfer + 1).fill(entryOf(0))
    refusal(() => paginate(many, author), 'ERR_FR_LIMIT')
  })
})

describe('the assembler', () => {
  /** Pages as an honest origin would cut them, and what a liar does to them and to the offer. */
  const drawn = fc.record({
    pages: fc.array(
      fc.array(fc.record({ stream: fc.nat(9), name: fc.nat(9), size: fc.nat(3) }), {
        minLength: 1,
        maxLength: 3,
      }),
      { minLength: 1, maxLength: 3 },
    ),
    order: fc.array(fc.integer({ min: -1, max: 3 }), { maxLength: 5 }),
    isOrdered: fc.boolean(),
    lie: fc.record({
      manifestPages: fc.constantFrom(0, 0, 0, 0, 1, -1),
      streams: fc.constantFrom(0, 0, 0, 0, 1, -1),
      bytes: fc.constantFrom(0, 0, 0, 0, 1, -1),
    }),
  })

  it('accepts what was announced and throws nothing but FrError', () => {
    let accepted = 0
    fc.assert(
      fc.property(drawn, ({ pages, order, isOrdered, lie }) => {
        const cut = pages.map((page) =>
          page.map(({ stream, name, size }) => entryOf(stream, { name: `${name}`, size })),
        )
        const { summary } = paginate(cut.flat(), author)
        const said = {
          manifestPages: cut.length + lie.manifestPages,
          streams: summary.streams + lie.streams,
          bytes: summary.bytes + lie.bytes,
        }
        onlyFrError(() => {
          const assembler = assemblerOf(said)
          for (const page of isOrdered ? cut.keys() : order) {
            const entries = assembler.add(signPage(author, page, cut[page] ?? []))
            if (entries === null) continue
            accepted += 1
            expect(entries).toHaveLength(said.streams)
            expect(new Set(entries.map((entry) => entry.stream)).size).toBe(said.streams)
            expect(new Set(entries.map((entry) => entry.name)).size).toBe(said.streams)
            expect(entries.reduce((sum, entry) => sum + entry.size, 0)).toBe(said.bytes)
          }
        })
      }),
      { numRuns: 2000 },
    )
    expect(accepted).toBeGreaterThan(0)
  })
})

describe('the assembler refuses', () => {
  function assemble(
    change: (summary: ManifestSummary) => Partial<ManifestSummary>,
    feed: (assembler: ManifestAssembler, pages: ManifestPage[]) => void = (assembler, pages) => {
      for (const page of pages) assembler.add(page)
    },
  ): string {
    const { pages, summary } = threePages()
    return refusal(() => {
      feed(assemblerOf({ ...summary, ...change(summary) }), pages)
    }).message
  }
  const asIs = (): Partial<ManifestSummary> => ({})

  it('a page that comes twice', () => {
    const text = assemble(asIs, (assembler, [first]) => {
      assembler.add(first as ManifestPage)
      assembler.add(first as ManifestPage)
    })
    expect(text).toMatch(/page 0 came twice/)
  })

  it.each([-1, 3])('page %i of three', (page) => {
    const text = assemble(asIs, (assembler, [first]) => {
      assembler.add({ ...(first as ManifestPage), page })
    })
    expect(text).toMatch(/out of range/)
  })

  it('an empty page', () => {
    expect(assemble(asIs, (assembler) => assembler.add(signPage(author, 0, [])))).toMatch(/empty/)
  })

  it('more pages than streams', () => {
    expect(assemble(() => ({ manifestPages: 151 }))).toMatch(/more pages than streams/)
  })

  it('more streams than announced', () => {
    expect(assemble((summary) => ({ streams: summary.streams - 1 }))).toMatch(/too many streams/)
  })

  it('fewer streams than announced', () => {
    expect(assemble((summary) => ({ streams: summary.streams + 1 }))).toMatch(/fewer streams/)
  })

  it('more bytes than announced', () => {
    expect(assemble((summary) => ({ bytes: summary.bytes - 1 }))).toMatch(/too many bytes/)
  })

  it('fewer bytes than announced', () => {
    expect(assemble((summary) => ({ bytes: summary.bytes + 1 }))).toMatch(/fewer bytes/)
  })

  it('pages of another author', () => {
    const { pages, summary } = threePages()
    const other = assemblerOf(summary, seededSigner(2).publicKey)
    const { message } = refusal(() => other.add(pages[0] as ManifestPage))
    expect(message).toMatch(/signature of manifest page 0/)
  })

  it('pages swapped or an entry changed', () => {
    const swapped = assemble(asIs, (assembler, pages) => {
      const [a, b, c] = pages as [ManifestPage, ManifestPage, ManifestPage]
      for (const page of [a, { ...b, page: 2 }, { ...c, page: 1 }]) assembler.add(page)
    })
    expect(swapped).toMatch(/signature of manifest page 2/)
    const changed = assemble(asIs, (assembler, pages) => {
      const [a, b, c] = pages as [ManifestPage, ManifestPage, ManifestPage]
      const entries = a.entries.map((entry, at) => (at === 0 ? { ...entry, mode: 0o777 } : entry))
      for (const page of [{ ...a, entries }, b, c]) assembler.add(page)
    })
    expect(changed).toMatch(/signature of manifest page 0/)
  })

  it('one stream id, or one name, twice', () => {
    const add = (...entries: StreamEntry[]): string => {
      const summary = { streams: 2, bytes: 20, manifestPages: 1 }
      return refusal(() => assemblerOf(summary).add(signPage(author, 0, entries))).message
    }
    expect(add(entryOf(1), entryOf(1, { name: 'other' }))).toMatch(/stream 1 came twice/)
    expect(add(entryOf(1), entryOf(2, { name: 'file 1' }))).toMatch(/one name/)
  })
})

describe('an entry', () => {
  it.each([
    { stream: -1 },
    { stream: 2 ** 32 },
    { name: 5 },
    { name: 'x'.repeat(6000) },
    { nameIsBase64: 'no' },
    { size: limits.fileBytes + 1 },
    { dataBytes: 11 },
    { mode: 0o10000 },
    { mtimeSeconds: 2 ** 44 },
    { mtimeSeconds: 0.5 },
    { mtimeNanos: 1_000_000_000 },
    { mtimeNanos: undefined },
  ])('with %j is refused', (fields) => {
    const [name = ''] = Object.keys(fields)
    const entry = { ...entryOf(0), ...fields }
    expect(refusal(() => readStreamEntry(new Fields(entry, 'e'))).message).toContain(name)
  })
})
