import { describe, expect, it } from 'vitest'
import { AuthorizedPeers } from '../../../src/base/authorized-peers.js'
import type { FrError } from '../../../src/base/errors.js'
import { peerLimits } from '../../../src/base/peer-limits.js'

const [a, b] = ['0123456789abcdef'.repeat(2), 'fedcba9876543210'.repeat(2)]

function refusal(text: string, check?: () => void): string {
  try {
    AuthorizedPeers.parse(text, check)
  } catch (error) {
    expect((error as FrError).code).toBe('ERR_FR_PEERS')
    return (error as FrError).message
  }
  throw new Error('was taken')
}

describe('a list of authorized peers', () => {
  it('has a fingerprint, a name and perhaps rights a line, space and comments beside them', () => {
    const text = `# who\r\n\n  ${a}  alice@home\t push x-*, get  # since May\n${b} edge-1`
    const peers = AuthorizedPeers.parse(text)
    expect(peers.all).toEqual([
      { id: a, name: 'alice@home', rightsText: 'push x-*, get', line: 3, column: 49 },
      { id: b, name: 'edge-1', rightsText: null, line: 4, column: 0 },
    ])
    expect(text.split('\n')[2]?.slice(48)).toBe('push x-*, get  # since May')
    expect(peers.find(b)?.name).toBe('edge-1')
    expect(peers.find('00'.repeat(16))).toBeUndefined()
    expect(AuthorizedPeers.parse('').all).toEqual([])
    expect(peers.hasCertified).toBe(false)
  })

  it('has names of certificates, too', () => {
    const peers = AuthorizedPeers.parse(
      `${a} x\n cert:spiffe://x/edge-2  get *, status # y\ncert:y`,
    )
    expect(peers.all.slice(1)).toEqual([
      {
        ...{ id: 'cert:spiffe://x/edge-2', name: 'spiffe://x/edge-2', line: 2, column: 26 },
        rightsText: 'get *, status',
      },
      { id: 'cert:y', name: 'y', rightsText: null, line: 3, column: 0 },
    ])
    expect(peers.certified('y')?.line).toBe(3)
    expect(peers.certified('x')).toBeUndefined()
    expect(peers.hasCertified).toBe(true)
  })

  it.each([
    [`${a} x\n${a.slice(1)} y`, 'line 2: the fingerprint is not 32 hex digits'],
    [`${a.toUpperCase()} x`, 'line 1: the fingerprint'],
    [`\n\n${a}`, 'line 3: the name is missing'],
    [`${a} # x`, 'line 1: the name is missing'],
    [`${a} -x`, 'line 1: a name has'],
    [`${a} x/y`, 'line 1: a name has'],
    [`${a} ${'x'.repeat(256)}`, 'line 1: a name has'],
    [`${a} x\n\n${a} y`, 'line 3: this fingerprint is in line 1 already'],
    ['cert:', 'line 1: behind cert: comes'],
    ['cert:*', 'line 1: behind cert: comes'],
    ['cert:a b\n\ncert:a', 'line 3: this name is in line 1 already'],
    [`${a} x\ncert:x`, 'line 2: this name is in line 1 already'],
    [`${a} x\n${b} x`, 'line 2: this name is in line 1 already'],
    [`${a} x ${'r'.repeat(peerLimits.rightsChars + 1)}`, 'line 1: rights of more than'],
    ['x'.repeat(peerLimits.fileBytes + 1), 'more than'],
  ])('says what is wrong with %j', (text, message) => {
    expect(refusal(text)).toContain(message)
  })

  it('has so many peers and no more', () => {
    const lines = Array.from({ length: peerLimits.peers + 1 }, (_, n) => {
      return `${n.toString(16).padStart(32, '0')} n${n}`
    })
    expect(AuthorizedPeers.parse(lines.slice(1).join('\n')).all).toHaveLength(peerLimits.peers)
    expect(refusal(lines.join('\n'))).toContain(`line ${peerLimits.peers + 1}: more than`)
  })

  it('puts the line before what is said of rights', () => {
    const check = (): void => {
      throw new Error('fly is no right')
    }
    expect(refusal(`${a} x fly`, check)).toBe('line 1: fly is no right')
  })
})
