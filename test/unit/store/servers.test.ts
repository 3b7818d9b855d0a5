/** The processes of one node, as they know of each other. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { limits } from '../../../src/base/limits.js'
import { Registration, Servers, type ServerWord } from '../../../src/store/shared/servers.js'

let directory: string
let open: Registration[]
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'fr-servers-'))
  open = []
})
afterEach(async () => {
  for (const one of open) await one.close()
  rmSync(directory, { recursive: true })
})

const gone = new Set<string>()
const spec = (holder: string, expireMs = 60_000) => ({
  ...{ directory, holder, expireMs, renewMs: 600_000 },
  isGone: (one: string) => gone.has(one),
})

async function registered(id: string, word: Partial<ServerWord> = {}): Promise<Registration> {
  const address = `127.0.0.1:${7400 + open.length}`
  const all = { role: 'distribute' as const, address, transfers: 0, acts: false, ...word }
  const one = new Registration(spec(id), id, () => all)
  open.push(one)
  await one.say()
  return one
}

describe('the processes of a node', () => {
  it('are given what comes in turn, the idle ones first', async () => {
    await registered('control', { role: 'control', acts: true })
    await registered('a')
    await registered('b')
    await registered('busy', { transfers: 1_000 })
    const servers = new Servers(spec('reader'))
    const given: (string | null)[] = []
    for (let at = 0; at < 6; at++) given.push(await servers.next())
    const both = ['127.0.0.1:7401', '127.0.0.1:7402']
    for (const at of [0, 2, 4]) expect(given.slice(at, at + 2).sort()).toEqual(both)
  })

  it('are forgotten once they are closed, gone, or silent', async () => {
    const closed = await registered('closed')
    await registered('dead')
    const servers = new Servers(spec('reader', 50))
    expect(await servers.look()).toHaveLength(2)
    await closed.close()
    gone.add('dead')
    expect(await servers.look()).toEqual([])
    gone.delete('dead')
    await new Promise((resolve) => setTimeout(resolve, 60))
    expect(await servers.look()).toEqual([])
    expect(await servers.next()).toBeNull()
    await open[1]?.say()
    expect(await servers.next()).toBe('127.0.0.1:7401')
  })

  it('are believed nothing else, and leave nothing behind', async () => {
    const junk = ['', '{', '[]', '{"holder":1}', '\0'.repeat(100), 'x'.repeat(10_000)]
    const row = { holder: 'h', role: 'distribute', address: 'a:1', transfers: 0, acts: false }
    for (const more of [{ role: 'x' }, { address: 'a' }, { transfers: -1 }, { holder: 5 }])
      junk.push(JSON.stringify({ ...row, ...more }))
    for (const [at, text] of junk.entries()) writeFileSync(join(directory, `junk${at}`), text)
    writeFileSync(join(directory, 'a.0123456789abcdef'), JSON.stringify(row))
    const servers = new Servers(spec('reader'))
    expect(await servers.look()).toEqual([])
    await registered('a')
    expect(readdirSync(directory)).not.toContain('a.0123456789abcdef')
    for (let at = 0; at < limits.sharedPlaces; at++) await registered(`b${at}`)
    expect((await servers.look()).length).toBeLessThanOrEqual(limits.sharedPlaces)
  })
})
