/** Descriptions of where a file is, and pages of what is in a directory. */
import { describe, expect, it } from 'vitest'
import { wantsSha256, wantsSha256Old } from '../../../src/doors/files/digests.js'
import { escaped } from '../../../src/doors/files/listing.js'
import { checkPeers, metalinkOf } from '../../../src/doors/files/metalink.js'

const described = { name: Buffer.from('a/b <&> "c".bin'), size: 7, etag: '"x"', sha256: null }

describe('a Metalink', () => {
  it('names the file as it is to be called, and each place', () => {
    const text = metalinkOf(described, ['http://a:1/files/x?&', 'http://b:1/files/x'])
    expect(text).toContain('<file name="b &lt;&amp;&gt; &quot;c&quot;.bin">')
    expect(text).toContain('<size>7</size>')
    expect(text).toContain('<url priority="1">http://a:1/files/x?&amp;</url>')
    expect(text?.match(/<url /g)).toHaveLength(2)
    expect(text).not.toContain('<hash')
    const sha256 = 'ab'.repeat(32)
    const hashed = metalinkOf({ ...described, sha256 }, [])
    expect(hashed).toContain(`<hash type="sha-256">${sha256}</hash>`)
  })

  it('is none of a name that XML cannot say', () => {
    for (const name of [Buffer.from('a\x01'), Buffer.from([0xff]), Buffer.from('\ufffe')])
      expect(metalinkOf({ ...described, name }, [])).toBeNull()
  })
})

describe('doors of others', () => {
  it('are addresses or origins', () => {
    const given = ['10.0.0.1:80', 'http://b.example:8080/', 'https://c.example', '[::1]:7']
    expect(checkPeers(given)).toEqual([
      'http://10.0.0.1',
      'http://b.example:8080',
      'https://c.example',
      'http://[::1]:7',
    ])
  })

  it.each([
    ...['', 'http://', 'ftp://a', 'http://u@a', 'http://a/path', 'http://a/?q', 'a b:1', 'a:x'],
  ])('are not %j', (peer) => {
    expect(() => checkPeers([peer])).toThrow(TypeError)
  })

  it('are a bounded number', () => {
    expect(() => checkPeers(Array.from({ length: 65 }, (_, at) => `a:${at + 1}`))).toThrow(
      'at most',
    )
  })
})

it('what is escaped is no markup', () => {
  expect(escaped(`<script a="b" c='d'>&amp;`)).toBe(
    '&lt;script a=&quot;b&quot; c=&#39;d&#39;&gt;&amp;amp;',
  )
})

describe('a SHA-256', () => {
  it.each([
    ['sha-256=1', true],
    ['sha-512=3, sha-256=10, unixsum=0', true],
    ['sha-256=0', false],
    ['sha-256=11', false],
    ['sha-256', false],
    ['sha-512=10', false],
    ['xsha-256=1', false],
    ['', false],
  ])('is wanted by Want-Repr-Digest: %s or not', (header, isWanted) => {
    expect(wantsSha256(header)).toBe(isWanted)
  })

  it.each([
    ['SHA-512;q=1, SHA-256;q=1, SHA;q=0.1', true],
    ['sha-256', true],
    ['SHA-256;q=0.05', true],
    ['SHA-256;q=0', false],
    ['SHA-256;q=0.0', false],
    ['SHA;q=1', false],
  ])('is wanted by Want-Digest: %s or not', (header, isWanted) => {
    expect(wantsSha256Old(header)).toBe(isWanted)
  })

  it('is looked for in time that follows the length of a header', () => {
    const header = `sha-256${' '.repeat(8_000)}${'sha-256;q=0.'.repeat(600)}`
    expect([wantsSha256(header), wantsSha256Old(header), wantsSha256(null)]).toEqual([
      ...[false, false, false],
    ])
  })
})
