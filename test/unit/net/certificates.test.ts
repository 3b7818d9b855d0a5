/** Links and data connections of sides that have certificates in place of a key. */
import { X509Certificate } from 'node:crypto'
import {
  chmodSync,
  copyFileSync,
  mkdtempSync,
  readFileSync as readOf,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { caLimits, initCa, issue, revoke } from '../../../src/net/ca.js'
import { Certificates, type TlsFiles } from '../../../src/net/certificates.js'
import { accept, dial, type Ticketed } from '../../../src/net/handshake.js'
import { Key, openKey } from '../../../src/net/keys.js'
import { PreAuthGuard } from '../../../src/net/pre-auth-guard.js'
import { revokedIn } from '../../../src/net/revoked.js'
import * as support from './handshake-support.js'

const { acceptor, dialler, keyA, serveAccept } = support
let root: string
const dirs = { ours: '', theirs: '' }

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'fr-certificates-'))
  dirs.ours = join(root, 'ours')
  dirs.theirs = join(root, 'theirs')
  for (const dir of Object.values(dirs)) await initCa(dir)
  for (const name of ['node', 'client', 'gone']) await issue(dirs.ours, name)
  await issue(dirs.theirs, 'stranger')
  await revoke(dirs.ours, 'gone')
})
afterAll(() => rmSync(root, { recursive: true }))
afterEach(support.cleanUp)

function filesOf(name: string, dir = dirs.ours, ca = dirs.ours): TlsFiles {
  return { ca: `${ca}/ca.crt`, cert: `${dir}/${name}.crt`, key: `${dir}/${name}.key` }
}
function keyOf(files: TlsFiles): Key {
  return Key.certified(new Certificates(files))
}
const withList = (files: TlsFiles): TlsFiles => ({ ...files, crl: `${dirs.ours}/ca.crl` })

async function both(mine: Key, its: Key) {
  const door = await serveAccept({ keys: [its] })
  const dialled = dial({ address: door.address, keys: [mine], self: dialler, channel: 'status' })
  dialled.catch(() => {})
  const accepted = door.next()
  accepted.catch(() => {})
  return { dialled, accepted, door }
}

async function refusals(mine: Key, its: Key) {
  const { dialled, accepted } = await both(mine, its)
  const textOf = (work: Promise<unknown>) =>
    work.then(
      () => 'no refusal',
      (error) => `${error.code}: ${error.message}`,
    )
  return Promise.all([textOf(dialled), textOf(accepted)])
}

describe('a link with certificates', () => {
  it('tells each side the name of the other, beside the id that it signs for', async () => {
    const { dialled, accepted } = await both(keyOf(filesOf('client')), keyOf(filesOf('node')))
    const admitted = await accepted
    expect(admitted.peer).toMatchObject({ nodeId: dialler.nodeId, name: 'client' })
    if (admitted.channel === 'data') throw new Error('no link')
    await admitted.go()
    expect((await dialled).peer).toMatchObject({ nodeId: acceptor.nodeId, name: 'node' })
  })

  it('is made with lists of what is revoked, too', async () => {
    const [mine, its] = [withList(filesOf('client')), withList(filesOf('node'))]
    const { accepted } = await both(keyOf(mine), keyOf(its))
    expect((await accepted).peer?.name).toBe('client')
  })

  it('refuses a stranger, and is refused by it, by name', async () => {
    const stranger = keyOf(filesOf('stranger', dirs.theirs))
    const [dialled, accepted] = await refusals(stranger, keyOf(filesOf('node')))
    const text = 'the certificate of the dialling side is of no authority that is trusted here'
    expect(accepted).toContain(`ERR_FR_AUTH: ${text}`)
    expect(dialled).toContain(`ERR_FR_AUTH: the peer says: ${text}`)
    const [mine, its] = await refusals(keyOf(filesOf('client')), stranger)
    expect(mine).toContain('ERR_FR_AUTH: the certificate of the accepting side is of no authority')
    expect(its).toContain('ERR_FR_AUTH: the peer says: the certificate of the accepting side')
  })

  it('refuses one that is revoked, on either side', async () => {
    const [gone, node] = [keyOf(filesOf('gone')), keyOf(withList(filesOf('node')))]
    const text = 'ERR_FR_AUTH: the certificate of the dialling side is revoked'
    expect((await refusals(gone, node))[1]).toBe(text)
    expect((await refusals(node, gone))[0]).toBe(text.replace('dialling', 'accepting'))
  })

  it('refuses one that has expired', async () => {
    const dir = join(root, 'past')
    await initCa(dir, caLimits.caDays)
    await issue(dir, 'node')
    await issue(dir, 'late', { days: -0.01 })
    const late = keyOf(filesOf('late', dir, dir))
    const node = keyOf(filesOf('node', dir, dir))
    const [dialled, accepted] = await refusals(late, node)
    expect(accepted).toBe('ERR_FR_AUTH: the certificate of the dialling side has expired')
    expect(dialled).toContain('the certificate of the dialling side has expired')
    const [mine] = await refusals(node, late)
    expect(mine).toBe('ERR_FR_AUTH: the certificate of the accepting side has expired')
  })

  it.each([
    ['a key', () => keyA],
    ['nothing', () => openKey],
  ])('and a side with %s refuse each other', async (_, other) => {
    const certified = keyOf(filesOf('node'))
    const text = (side: string) => `ERR_FR_AUTH: the ${side} side has a certificate`
    const [dialled, accepted] = await refusals(other(), certified)
    expect(dialled).toContain(text('accepting'))
    expect(accepted).toContain(text('accepting'))
    const [mine, its] = await refusals(certified, other())
    expect(mine).toContain(text('dialling'))
    // It cannot tell such a side from any other that speaks TLS.
    expect(its).toContain('ERR_FR_PROTOCOL: the connection broke the rules of TLS')
  })
})

describe('files of certificates', () => {
  let count = 0
  /** Copies that a test may change. */
  function copied(files: TlsFiles): TlsFiles & { crl: string } {
    const dir = mkdtempSync(join(root, 'copy-'))
    const at = { ca: '', cert: '', key: '', crl: join(dir, 'crl') }
    for (const name of ['ca', 'cert', 'key'] as const) {
      at[name] = join(dir, name)
      copyFileSync(files[name], at[name])
    }
    copyFileSync(`${dirs.ours}/ca.crl`, at.crl)
    return at
  }
  const write = (path: string, text: string | Buffer): void => {
    writeFileSync(`${path}.${count}`, text, { mode: 0o600 })
    renameSync(`${path}.${count++}`, path)
  }
  const faultOf = (files: TlsFiles): string => {
    try {
      new Certificates(files)
      return 'none'
    } catch (error) {
      return `${(error as { code: string }).code}: ${(error as Error).message}`
    }
  }

  it('are refused by name where they cannot be used', () => {
    const good = copied(filesOf('node'))
    expect(faultOf(good)).toBe('none')
    const wrong = (change: Partial<TlsFiles>): string => faultOf({ ...good, ...change })
    expect(wrong({ key: filesOf('client').key })).toContain('does not belong to the private key')
    expect(wrong({ ca: good.key })).toContain('(ca) has no certificate')
    expect(wrong({ ca: good.cert })).toContain('none of an authority')
    expect(wrong({ cert: join(root, 'none') })).toContain('(cert) cannot be read (ENOENT)')
    expect(wrong({ crl: good.ca })).toContain('no list of revoked certificates')
    chmodSync(good.ca, 0o600)
    expect(wrong({ key: good.ca })).toContain('has no private key')
    expect(wrong({ ca: root })).toContain('is no file')
    chmodSync(good.key, 0o644)
    expect(faultOf(good)).toMatch(/^ERR_FR_CERTIFICATE: .*mode 0644: every user can read/)
  })

  it('that are renewed count for the next connection, and half of them for none', async () => {
    const files = copied(filesOf('client'))
    const mine = keyOf(files)
    const node = keyOf(filesOf('node'))
    const nameSeen = async (): Promise<string | undefined> => {
      const { accepted } = await both(mine, node)
      return (await accepted).peer?.name
    }
    const next = filesOf('gone')
    expect(await nameSeen()).toBe('client')
    write(files.cert, readOf(next.cert))
    expect(await nameSeen()).toBe('client')
    write(files.key, readOf(next.key))
    expect(await nameSeen()).toBe('gone')
  })

  it('end the link to a certificate that is revoked while it is open', async () => {
    const files = copied(filesOf('node'))
    const certificates = new Certificates(files)
    const revoked: string[] = []
    certificates.onRevoked((nodeId, name) => revoked.push(`${nodeId} ${name}`))
    await issue(dirs.ours, 'soon')
    const node = Key.certified(certificates)
    const links = await Promise.all(
      ['soon', 'client'].map((name) => both(keyOf(filesOf(name)), node)),
    )
    const open = await Promise.all(
      links.map(async ({ dialled, accepted }) => {
        const admitted = await accepted
        if (admitted.channel === 'data') throw new Error('no link')
        await admitted.go()
        return (await dialled).detach()
      }),
    )
    for (const socket of open) support.keep(socket).resume()
    const closed = new Promise((resolve) => open[0]?.once('close', resolve))
    await revoke(dirs.ours, 'soon')
    write(files.crl, readOf(`${dirs.ours}/ca.crl`))
    await closed
    expect(revoked).toEqual([`${dialler.nodeId} soon`])
    expect(open[1]?.destroyed).toBe(false)
  })

  it('says of a list or certificate that it cannot read that it is unclear', () => {
    const der = (name: string): Uint8Array =>
      new X509Certificate(readOf(`${dirs.ours}/${name}.crt`)).raw
    const list = readOf(`${dirs.ours}/ca.crl`, 'latin1')
    const bad = '-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----'
    expect(revokedIn([list])(der('gone'))).toBe('revoked')
    expect(revokedIn([list])(der('client'))).toBe('none')
    expect(revokedIn([list, bad])(der('client'))).toBe('unclear')
    expect(revokedIn([bad, list])(der('gone'))).toBe('revoked')
    expect(revokedIn([list])(der('gone').subarray(1))).toBe('unclear')
  })
})

describe('a data connection with certificates', () => {
  const place = { transfer: support.transfer, from: 1, to: 2 }
  const edge = { id: 'ab'.repeat(16), secret: new Uint8Array(32).fill(7) }

  async function shown(secret: Uint8Array) {
    const node = keyOf(filesOf('node'))
    const guard = new PreAuthGuard()
    const door = await serveAccept({ keys: [node], guard })
    const how = { ...place, address: door.address, keys: [keyOf(filesOf('client'))] }
    const mine = { ...edge, secret }
    const dialled = dial({ ...how, self: dialler, channel: 'data', edge: mine })
    dialled.catch(() => {})
    return { dialled, ticketed: (await door.next()) as Ticketed, guard }
  }

  it('counts among strangers until the secret of its edge is proved', async () => {
    const { dialled, ticketed, guard } = await shown(edge.secret)
    expect(guard.size).toBe(1)
    await ticketed.go(edge)
    expect(guard.size).toBe(0)
    expect((await dialled).lacking).toBeDefined()
  })

  it('is refused where the ticket is made with another secret', async () => {
    const { dialled, ticketed, guard } = await shown(new Uint8Array(32).fill(8))
    await expect(ticketed.go(edge)).rejects.toMatchObject({ code: 'ERR_FR_AUTH' })
    await expect(dialled).rejects.toThrow('does not hold the secret of this edge')
    expect(guard.size).toBeLessThan(2)
  })
})

describe('a data connection of a side with two keys', () => {
  it('comes again with the other one where the acceptor does not know the first', async () => {
    const { keyB, transfer } = support
    const edge = { id: 'cd'.repeat(16), secret: new Uint8Array(32).fill(9) }
    const address = await support.serve((socket) => {
      void accept(socket, { keys: [keyA], self: acceptor })
        .then((admitted) => (admitted as Ticketed).go(edge))
        .catch(() => {})
    })
    const place = { transfer, from: 1, to: 2 }
    const how = { ...place, address, self: dialler, channel: 'data', edge } as const
    expect((await dial({ ...how, keys: [keyB, keyA] })).key).toBe(keyA)
    await expect(dial({ ...how, keys: [keyB] })).rejects.toMatchObject({ code: 'ERR_FR_AUTH' })
  })
})
