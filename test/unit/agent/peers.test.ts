/** Whom a list of peers admits, by what is known of them. */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { Peers } from '../../../src/agent/peers.js'

const [a, b, c] = ['aa', 'bb', 'cc'].map((two) => two.repeat(16)) as [string, string, string]

describe('a list of peers', () => {
  const closers: (() => void)[] = []
  afterEach(() => {
    for (const close of closers.splice(0)) close()
  })

  async function opened(text: string) {
    const dir = mkdtempSync(join(tmpdir(), 'fr-peers-'))
    const path = join(dir, 'peers')
    const write = (now: string): void => {
      writeFileSync(`${path}.new`, now, { mode: 0o644 })
      renameSync(`${path}.new`, path)
    }
    write(text)
    const peers = await Peers.open(path, { log: () => {} })
    closers.push(() => {
      peers.close()
      rmSync(dir, { recursive: true })
    })
    return { peers, write }
  }

  it('admits by fingerprints whoever they are shown by', async () => {
    const { peers } = await opened(`${a} x`)
    expect([peers.admits(a), peers.admits(a, null), peers.admits(a, 'y')]).toEqual(
      Array(3).fill(true),
    )
    expect([peers.admits(b), peers.admits(b, null), peers.admits(b, 'x')]).toEqual(
      Array(3).fill(false),
    )
  })

  it('admits by names of certificates, and nobody who has shown another one', async () => {
    const { peers, write } = await opened(`${a} x\ncert:y get **`)
    // It may have that certificate.
    expect(peers.admits(b)).toBe(true)
    expect(peers.admits(b, 'x')).toBe(false)
    expect(peers.admits(b)).toBe(false)
    expect(peers.admits(c, null)).toBe(false)
    expect(peers.admits(c)).toBe(false)
    expect(peers.admits(b, 'y')).toBe(true)
    expect(peers.find(b, 'y')).toMatchObject({ name: 'y', rightsText: 'get **' })
    expect(peers.find(b)).toBeUndefined()
    // What was shown is remembered whatever the list says then.
    expect(peers.admits(a, 'z')).toBe(true)
    write('cert:z')
    await peers.reload()
    expect([peers.admits(a), peers.admits(b), peers.admits(c)]).toEqual([true, false, false])
  })
})
