/** The name that a certificate gives its holder, of the text that Node makes of it. */

import { expect, it } from 'vitest'
import { certificateNameOf } from '../../../src/base/certificate-names.js'
import { tlsLimits } from '../../../src/base/tls-limits.js'
import fc from '../../support/property.js'

it.each([
  ['DNS:edge-1', 'other', 'edge-1'],
  ['IP Address:10.0.0.1, DNS:edge-1, DNS:edge-2', 'other', 'edge-1'],
  ['URI:spiffe://site/edge-1, DNS:edge-2', 'other', 'spiffe://site/edge-1'],
  ['IP Address:10.0.0.1', 'alice', 'alice'],
  [undefined, 'alice@site', 'alice@site'],
  [undefined, ['alice', 'bob'], null],
  [undefined, undefined, null],
  [undefined, 'two words', null],
  [undefined, '', null],
  ['DNS:*.site', 'alice', null],
  ['DNS:', 'alice', null],
  // One name with commas in it, which Node quotes, is not several.
  ['DNS:"x, DNS:evil, y"', 'alice', null],
  ['DNS:edge-1, DNS:"x, y"', 'alice', null],
  ['DNS:edge-1\nDNS:evil', 'alice', null],
])('%j with the common name %j is %j', (alternatives, common, name) => {
  expect(certificateNameOf(alternatives, common)).toBe(name)
})

it('a name has its bound', () => {
  const longest = 'a'.repeat(tlsLimits.nameChars)
  expect(certificateNameOf(`DNS:${longest}`, 'alice')).toBe(longest)
  expect(certificateNameOf(`DNS:${longest}a`, 'alice')).toBeNull()
})

it('of any text comes a plain name or none', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (alternatives, common) => {
      const name = certificateNameOf(`DNS:${alternatives}`, common)
      expect(name === null || /^[A-Za-z0-9][A-Za-z0-9_.@:/-]{0,254}$/.test(name)).toBe(true)
    }),
  )
})
