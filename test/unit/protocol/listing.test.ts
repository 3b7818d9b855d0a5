import { describe, expect, it } from 'vitest'
import { limits } from '../../../src/base/limits.js'
import {
  compareNames,
  encodeListing,
  type Listing,
  listingHeadBytes,
  type TreeAttributes,
  type TreeEntry,
} from '../../../src/protocol/listing.js'
import { readListing, readListingHead } from '../../../src/protocol/listing-reader.js'
import fc from '../../support/property.js'
import { onlyFrError, refusal } from './support.js'

const name = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'))
const plain: TreeAttributes = { mode: 0o644, mtimeSeconds: 1_700_000_000, mtimeNanos: 5 }
const digest = new Uint8Array(32).fill(7)
const dataAt = 100_000

const directory = (text: string): TreeEntry => {
  return { name: name(text), attributes: plain, kind: 'directory' }
}
const file = (text: string, size: number, at: number | null): TreeEntry => {
  const whole = { size, dataBytes: size, digest, at, isAlone: false }
  return { name: name(text), attributes: plain, kind: 'file', ...whole }
}
const alone = (text: string, size: number): TreeEntry => {
  const whole = { size, dataBytes: size, digest: null, at: null, isAlone: true }
  return { name: name(text), attributes: plain, kind: 'file', ...whole }
}
const symlink = (text: string, target: string): TreeEntry => {
  return { name: name(text), attributes: plain, kind: 'symlink', target: name(target) }
}
const hardlink = (text: string, to: string): TreeEntry => {
  return { name: name(text), attributes: plain, kind: 'hardlink', to: name(to) }
}

const options = {
  isAtomic: false,
  deletes: true,
  strict: false,
  owner: false,
  xattrs: true,
  acls: false,
  isDry: false,
}
const listing = (entries: readonly TreeEntry[], more: Partial<Listing> = {}): Listing => {
  return {
    tree: 'ab'.repeat(16),
    bundle: 3,
    final: null,
    options,
    isClosing: false,
    entries,
    ...more,
  }
}
const closing = (...entries: TreeEntry[]): Listing => listing(entries, { isClosing: true })
const bundleBytes = 2 * dataAt
const read = (bytes: Uint8Array, whole = bundleBytes): Listing =>
  readListing(bytes, whole, 'blake3')
const refused = (asked: Listing): string => refusal(() => read(encodeListing(asked))).message

const component = fc
  .uint8Array({ minLength: 1, maxLength: 12 })
  .filter((bytes) => !bytes.includes(0) && !bytes.includes(0x2f) && bytes.some((b) => b !== 0x2e))
const path = fc
  .array(component, { minLength: 1, maxLength: 4 })
  .map((parts) => new Uint8Array(Buffer.concat(parts.flatMap((p) => [name('/'), p]).slice(1))))
const attributes: fc.Arbitrary<TreeAttributes> = fc
  .record({
    mode: fc.nat({ max: 0o7777 }),
    mtimeSeconds: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
    mtimeNanos: fc.nat({ max: 999_999_999 }),
    owner: fc.option(
      fc.record({
        uid: fc.nat({ max: 0xffff_ffff }),
        gid: fc.nat({ max: 0xffff_ffff }),
        user: fc.string({ unit: 'grapheme', maxLength: 8 }),
        group: fc.string({ maxLength: 8 }),
      }),
    ),
    xattrs: fc.option(
      fc.array(
        fc.record({ name: fc.stringMatching(/^user\.[a-z]{1,9}$/), value: fc.uint8Array() }),
      ),
    ),
  })
  .map(({ owner, xattrs, ...base }) => {
    return { ...base, ...(owner && { owner }), ...(xattrs && { xattrs }) }
  })

/** Directories and files with bytes, one behind the other with gaps. */
const entries: fc.Arbitrary<TreeEntry[]> = fc
  .array(
    fc.record({
      name: path,
      attributes,
      size: fc.option(fc.nat({ max: 3_000 })),
      gap: fc.nat({ max: 9 }),
      isAlone: fc.boolean(),
      holes: fc.boolean(),
    }),
    { maxLength: 12 },
  )
  .map((rows) => {
    let at = dataAt
    const sorted = rows.sort((a, b) => compareNames(a.name, b.name))
    const isFree = (index: number): boolean =>
      sorted.every((row, other) => {
        const beneath = Buffer.concat([sorted[index]?.name ?? name(''), name('/')])
        return (
          other === index ||
          !Buffer.concat([row.name, name('/')])
            .subarray(0, beneath.length)
            .equals(beneath)
        )
      })
    return sorted.flatMap(({ name: own, attributes: about, ...row }, index): TreeEntry[] => {
      const isTwice = index > 0 && compareNames(sorted[index - 1]?.name ?? own, own) === 0
      if (isTwice) return []
      if (row.size === null || !isFree(index))
        return [{ name: own, attributes: about, kind: 'directory' }]
      const { size, isAlone, holes } = row
      const place = isAlone ? null : at + row.gap
      if (place !== null) at = place + size
      const dataBytes = holes ? Math.floor(size / 2) : size
      const known = isAlone ? null : digest
      const about2 = { size, dataBytes, digest: known, at: place, isAlone }
      return [{ name: own, attributes: about, kind: 'file', ...about2 }]
    })
  })

describe('listings', () => {
  it('come back as they were written', () => {
    fc.assert(
      fc.property(entries, (some) => {
        const bytes = encodeListing(listing(some))
        expect(readListingHead(bytes.subarray(0, listingHeadBytes))).toMatchObject({
          bytes: bytes.length,
        })
        expect(read(bytes)).toEqual(listing(some))
      }),
      { numRuns: 40 },
    )
  })

  it('that close bring links, files that came alone, and directories', () => {
    const last = { bundles: 4, entries: 9 }
    const asked = {
      ...closing(
        directory(''),
        file('a', 5, null),
        hardlink('a.b', 'a'),
        directory('c'),
        symlink('c/d', '../../e'),
      ),
      final: last,
    }
    expect(read(encodeListing(asked))).toEqual(asked)
    const rules = { include: ['*.ö', 'b/'], exclude: [] }
    const ruled = { ...asked, rules }
    expect(read(encodeListing(ruled))).toEqual(ruled)
    const wrong = [
      { ...ruled, final: null },
      { ...ruled, options: { ...options, deletes: false } },
      { ...ruled, rules: { include: [], exclude: [] } },
      { ...ruled, rules: { include: ['a\nb'], exclude: [] } },
      { ...ruled, rules: { include: [], exclude: Array(1025).fill('a') } },
    ]
    for (const one of wrong) expect(refused(one)).toMatch(/rule/)
  })

  it('write of a name what differs from the one before', () => {
    const long = 'directory/'.repeat(20)
    const few = encodeListing(listing([directory(`${long}a`)])).length
    expect(encodeListing(listing([directory(`${long}a`), directory(`${long}b`)]))).toHaveLength(
      few + 21,
    )
  })

  it('may be cut or changed anywhere, and then are refused or say something else', () => {
    const whole = encodeListing(
      listing([directory(''), file('a', 5, dataAt), directory('b'), alone('b/c', 2 ** 40)]),
    )
    for (let length = 0; length < whole.length; length += 1)
      refusal(() => read(whole.subarray(0, length)))
    refusal(() => read(Buffer.concat([whole, Buffer.alloc(1)])))
    for (const [at, byte] of whole.entries()) {
      for (const other of [0, 255, byte ^ (1 << (at & 7))])
        onlyFrError(() => read(whole.with(at, other)))
    }
  })

  it('of anything are refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (tail) => {
        const bytes = Buffer.concat([encodeListing(listing([])), tail])
        bytes.writeUInt32LE(bytes.length, 8)
        bytes.writeUInt32LE(4, 12)
        onlyFrError(() => read(bytes))
        refusal(() => read(tail))
      }),
    )
  })

  it.each(['/a', 'a/', 'a//b', '.', '..', 'a/../b', 'a/.', '../a', 'a\0b', `a/${'b'.repeat(256)}`])(
    'with the name %j are refused',
    (text) => {
      refused(listing([directory(text)]))
      refused(closing(hardlink('z', text)))
    },
  )

  it('with names and targets that are too long or missing are refused', () => {
    const long = `${'a/'.repeat(limits.nameBytes / 2)}a`
    expect(refused(listing([directory(long)]))).toMatch(/too long/)
    expect(read(encodeListing(listing([directory(long.slice(2))]))).entries).toHaveLength(1)
    refused(closing(symlink('a', '')))
    refused(closing(symlink('a', 'b\0')))
    refused(closing(symlink('a', 'b'.repeat(limits.nameBytes + 1))))
    refused(closing(hardlink('a', '')))
    refused(listing([file('', 5, dataAt)]))
  })

  it('with names twice, or out of order, or in what is no directory, are refused', () => {
    expect(refused(listing([directory('a'), directory('a')]))).toMatch(/differs/)
    expect(refused(listing([directory('b'), directory('a')]))).toMatch(/ascend/)
    expect(refused(listing([directory('a.b'), directory('a/b')]))).toMatch(/ascend/)
    expect(refused(listing([directory('a'), directory('')]))).toMatch(/ascend|no name/)
    expect(refused(listing([file('a', 5, dataAt), directory('a/b')]))).toMatch(/no directory/)
    expect(refused(closing(symlink('a', '/etc'), directory('a/b')))).toMatch(/no directory/)
  })

  it('with bytes that overlap, are not there, or belong to nobody, are refused', () => {
    expect(refused(listing([file('a', 5, dataAt), file('b', 5, dataAt + 4)]))).toMatch(/overlap/)
    expect(refused(listing([file('a', 5, 40)]))).toMatch(/overlap/)
    expect(refused(listing([file('a', 5, bundleBytes - 4)]))).toMatch(/overlap/)
    expect(read(encodeListing(listing([file('a', 5, bundleBytes - 5)]))).entries).toHaveLength(1)
    expect(read(encodeListing(closing(file('a', 5, dataAt)))).entries).toHaveLength(1)
    const both = { ...alone('a', 9), at: dataAt } as TreeEntry
    expect(refused(listing([both]))).toMatch(/alone/)
    const bare = { ...file('a', 9, null), digest: null } as TreeEntry
    expect(refused(listing([bare]))).toMatch(/digested/)
    expect(refused(listing([file('a', limits.bundledFileBytes + 1, null)]))).toMatch(/too large/)
    const odd = { ...alone('a', 9), dataBytes: 10 } as TreeEntry
    expect(refused(listing([odd]))).toMatch(/too high/)
  })

  it('with links before the end, or an end that is none, are refused', () => {
    expect(refused(listing([symlink('a', 'b')]))).toMatch(/link/)
    const final = { bundles: 4, entries: 1 }
    expect(refused(listing([], { final }))).toMatch(/close/)
    expect(refused(listing([], { isClosing: true, final: { ...final, bundles: 5 } }))).toMatch(
      /last/,
    )
  })

  it('with too much of anything are refused', () => {
    const bytes = encodeListing(listing([]))
    const view = new DataView(bytes.buffer)
    view.setUint32(12, limits.treeBatchEntries + 1, true)
    expect(refusal(() => readListingHead(bytes)).message).toMatch(/entries/)
    view.setUint32(8, limits.listingBytes + 1, true)
    expect(refusal(() => readListingHead(bytes)).message).toMatch(/bytes/)
    const xattr = { name: 'user.a', value: new Uint8Array(1) }
    const many = Array.from({ length: limits.treeXattrs + 1 }, () => xattr)
    const with_ = (xattrs: TreeAttributes['xattrs']): Listing => {
      return listing([{ ...directory('a'), attributes: { ...plain, ...(xattrs && { xattrs }) } }])
    }
    expect(refused(with_(many))).toMatch(/too many/)
    const value = new Uint8Array(limits.treeXattrBytes + 1)
    expect(refused(with_([{ ...xattr, value }]))).toMatch(/too long/)
    expect(refused(with_([{ ...xattr, name: '' }]))).toMatch(/no name/)
  })

  it('are not read with the digests of another algorithm', () => {
    const bytes = encodeListing(listing([file('a', 5, dataAt)]))
    refusal(() => readListing(bytes, bundleBytes, 'xxh64'))
    refusal(() => readListing(bytes, bytes.length - 1, 'blake3'))
  })
})

describe('walk order', () => {
  it('puts a directory before what is in it, and that before its next sibling', () => {
    const names = ['', 'a', 'a/b', 'a/b/c', 'a/c', 'a!', 'a.b', 'a0', 'b']
    const shuffled = [...names].reverse().map(name)
    expect(shuffled.sort(compareNames).map((n) => Buffer.from(n).toString())).toEqual(names)
  })
})
