/** Readers of files and texts that say who is who and who may what, with changed ones. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSecureContext } from 'node:tls'
import { afterAll, expect } from 'vitest'
import { AuthorizedPeers } from '../../src/base/authorized-peers.js'
import { textOf, utf8 } from '../../src/base/bytes.js'
import { certificateNameOf, isCertificateName } from '../../src/base/certificate-names.js'
import { canonical, parseCriteria } from '../../src/base/criteria.js'
import { FrError } from '../../src/base/errors.js'
import { limits } from '../../src/base/limits.js'
import { Rights } from '../../src/base/rights.js'
import { initCa, issue, revoke } from '../../src/net/ca.js'
import { revokedIn } from '../../src/net/revoked.js'
import fc from '../support/property.js'
import { hex } from '../unit/protocol/parts.js'
import { fuzz } from './reading.js'

const criteria = [
  'site=eu && (tier=edge || gpu) && !legacy',
  'name="a b*" || cores>=16 && !(x<2.5)',
  '!(((a=1))) && b="\\\\q"',
]
const rights = ['push models/**, get **, status', 'none', 'admin, attr site=eu, attr gpu', 'rm a?c']

/** An authority, what it has issued, and its list of what is revoked. */
const dir = mkdtempSync(join(tmpdir(), 'fr-fuzz-'))
afterAll(() => rmSync(dir, { recursive: true }))
await initCa(join(dir, 'ca'))
for (const name of ['kept', 'gone']) await issue(join(dir, 'ca'), name)
await revoke(join(dir, 'ca'), 'gone')
const list = readFileSync(join(dir, 'ca', 'ca.crl'))
const der = (name: string): Uint8Array => {
  const text = readFileSync(join(dir, 'ca', `${name}.crt`), 'latin1')
  return Buffer.from(text.replace(/-----[^-]*-----/g, ''), 'base64')
}
const [kept, gone] = [der('kept'), der('gone')]

function lineOf({ id, name, rightsText }: AuthorizedPeers['all'][number]): string {
  return [id, ...(id.startsWith('cert:') ? [] : [name]), rightsText ?? []].flat().join(' ')
}

fuzz({
  criteria: {
    form: 'binary',
    valid: fc.constantFrom(...criteria).map(utf8),
    read: (bytes) => {
      const text = canonical(parseCriteria(textOf(bytes) ?? ''))
      expect(text.length).toBeLessThanOrEqual(4 * limits.criteriaChars)
      return utf8(text)
    },
  },
  'a list of peers, with rights': {
    form: 'binary',
    valid: fc
      .record({ id: hex(32), cert: fc.constantFrom('a', 'spiffe://x/y', 'b.c'), at: fc.nat(3) })
      .map(({ id, cert, at }) =>
        utf8(`# who\n${id} alice ${rights[at]}\r\n\tcert:${cert} get #x\n`),
      ),
    read: (bytes) => {
      const check = (peer: { readonly rightsText: string | null }) =>
        void Rights.parse(peer.rightsText)
      const { all } = AuthorizedPeers.parse(Buffer.from(bytes).toString(), check)
      return utf8(all.map(lineOf).join('\n'))
    },
  },
  'names in a certificate': {
    form: 'binary',
    valid: fc
      .constantFrom('DNS:a.b, URI:spiffe://c/d\ne', 'URI:x@y, IP:1.2.3.4\n', '\nnode-1')
      .map(utf8),
    read: (bytes) => {
      const [alternatives, ...common] = Buffer.from(bytes).toString().split('\n')
      const name = certificateNameOf(alternatives || undefined, common.join('\n'))
      if (name === null) throw new FrError('ERR_FR_AUTH')
      expect(isCertificateName(name)).toBe(true)
      return utf8(`DNS:${name}`)
    },
  },
  'a list of what is revoked': {
    form: 'binary',
    valid: fc.constant(list),
    least: 80,
    read: (bytes) => {
      const text = Buffer.from(bytes).toString('latin1')
      const isRead = (): boolean => {
        try {
          return createSecureContext({ crl: text }) !== undefined
        } catch {
          return false
        }
      }
      const found = revokedIn([text])
      const verdict = found(kept)
      if (verdict === 'unclear' || !isRead()) throw new FrError('ERR_FR_CERTIFICATE')
      // A changed list may name another one.
      return bytes
    },
  },
  'a certificate': {
    form: 'binary',
    valid: fc.constant(gone),
    least: 80,
    read: (bytes) => {
      const verdict = revokedIn([list.toString('latin1')])(bytes)
      if (verdict === 'unclear') throw new FrError('ERR_FR_CERTIFICATE')
      return bytes
    },
  },
})
