/** Descriptions of where a file is, and pages of what is in a directory. */
import { describe, expect, it } from 'vitest'
import { escaped } from '../../../src/doors/files/listing.js'
import { checkPeers, metalinkOf } from '../../../src/doors/files/metalink.js'

const described = { name: Buffer.from('a/b <&> "c".bin'), size: 7, etag: '"x"' }

describe('a Metalink', () => {
  it('names the file as it is to be called, and each place', () => {
    const text = metalinkOf(described, ['http://a:1/files/x?&', 'http://b:1/files/x'])
    expect(text).toContain('<file name="b &lt;&amp;&gt; &quot;c&quot;.bin">')
    expect(text).toContain('<size>7</size>')
    expect(text).toContain('<url priority="1">http://a:1/files/x?&amp;</url>')
    expect(text?.match(/<url /g)).toHaveLength(2)
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
