/** `fr ca`, and commands with certificates in place of a key. */
import { statSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { copyDigest, sha256, World } from './cli-world.js'

let world: World
beforeAll(() => {
  world = new World()
})
afterAll(() => world.close())

const tlsOf = (name: string): string[] => [
  ...['--tls-ca', 'ca/ca.crt', '--tls-cert', `ca/${name}.crt`],
  ...['--tls-key', `ca/${name}.key`, '--tls-crl', 'ca/ca.crl'],
]

describe('fr ca', () => {
  it('makes an authority, and what nodes and clients need for a push', async () => {
    const run = async (...args: string[]) => {
      const { status, stdout, stderr } = await world.run(args)
      return [status, stdout, stderr]
    }
    expect(await run('ca', 'init', 'ca')).toEqual([0, 'ca/ca.crt\nca/ca.key\nca/ca.crl\n', ''])
    for (const name of ['edge-1', 'alice', 'bob'])
      expect(await run('ca', 'issue', name, '--dir', 'ca')).toEqual([
        ...[0, `ca/${name}.crt\nca/${name}.key\n`, ''],
      ])
    expect(statSync(world.path('ca/ca.key')).mode & 0o777).toBe(0o600)
    expect(statSync(world.path('ca/alice.key')).mode & 0o777).toBe(0o600)
    const again = await run('ca', 'issue', 'alice', '--dir', 'ca')
    expect([again[0], again[2]]).toEqual([1, expect.stringContaining('ERR_FR_EXISTS')])
    expect(await run('ca', 'issue', 'alice', '--dir', 'ca', '--renew')).toEqual([
      ...[0, 'ca/alice.crt\n', ''],
    ])
    const bad = await run('ca', 'issue', '../x', '--dir', 'ca')
    expect([bad[0], bad[2]]).toEqual([1, expect.stringContaining('ERR_FR_CERTIFICATE')])

    const absolute = tlsOf('edge-1').map((word) => word.replace(/^ca\//, `${world.path('ca')}/`))
    const node = await world.node('edge-1', absolute)
    const content = world.file('data.bin', 300_000)
    const push = (name: string, as: string) =>
      run('push', 'data.bin', '--as', as, '--to', node.address, ...tlsOf(name))
    expect((await push('alice', 'one.bin'))[0]).toBe(0)
    expect(copyDigest(node, 'one.bin')).toBe(sha256(content))
    expect(await run('ca', 'revoke', 'bob', '--dir', 'ca')).toEqual([0, 'ca/ca.crl\n', ''])
    expect(await run('ca', 'revoke', 'bob', '--dir', 'ca')).toEqual([
      ...[0, 'bob is revoked already\n', ''],
    ])
    const [status, , stderr] = await push('bob', 'two.bin')
    expect(status).toBe(1)
    expect(stderr).toContain('the certificate of the dialling side is revoked')
    const keyed = await run('status', node.address)
    expect([keyed[0], keyed[2]]).toEqual([1, expect.stringContaining('has a certificate')])
    const lost = await run('status', node.address, ...tlsOf('nobody'))
    expect([lost[0], lost[2]]).toEqual([1, expect.stringContaining('ERR_FR_CERTIFICATE')])
  })
})
