/** Who a node is, when its data directory is copied, moved, or served by another machine. */
import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { createPortableEngine } from '../../../src/engine/portable/engine.js'
import { identityOf, type NodeIdentity } from '../../../src/store/identity.js'

const directory = mkdtempSync(join(tmpdir(), 'fr-identity-'))
afterAll(() => rmSync(directory, { recursive: true }))

let count = 0
let data: string
beforeEach(() => {
  data = join(directory, `data${count++}`)
  mkdirSync(data)
})

const here = 'a'.repeat(32)
const elsewhere = 'b'.repeat(32)

/** One start of a node. */
async function start(path: string, machine?: string): Promise<NodeIdentity> {
  const engine = await createPortableEngine(() => undefined)
  try {
    const dir = await engine.storage.openDataDir(path)
    return await identityOf(
      engine.storage,
      dir,
      path,
      machine === undefined ? undefined : async () => machine,
    )
  } finally {
    await engine.shutdown()
  }
}

describe('the identity of a node', () => {
  it('stays from start to start, also where the directory is moved', async () => {
    const first = await start(data, here)
    expect(first.nodeId).toMatch(/^[0-9a-f]{32}$/)
    expect(first.isNew).toBe(false)
    expect(await start(data, here)).toEqual(first)
    renameSync(data, `${data}-moved`)
    expect(await start(`${data}-moved`, here)).toEqual(first)
  })

  it('is another one for a copy of the directory, said once', async () => {
    const first = await start(data, here)
    cpSync(data, `${data}-copy`, { recursive: true })
    const copy = await start(`${data}-copy`, here)
    expect(copy.isNew).toBe(true)
    expect(copy.nodeId).not.toBe(first.nodeId)
    expect(await start(`${data}-copy`, here)).toEqual({ ...copy, isNew: false })
    expect(await start(data, here)).toEqual(first)
  })

  it('is another one on another machine, also at the same inode', async () => {
    const first = await start(data, here)
    const moved = await start(data, elsewhere)
    expect(moved.isNew).toBe(true)
    expect(moved.nodeId).not.toBe(first.nodeId)
    expect((await start(data, elsewhere)).isNew).toBe(false)
  })

  it('needs no id of the machine', async () => {
    const first = await start(data)
    expect(await start(data)).toEqual(first)
    const nameless = await start(data, '')
    expect(await start(data, '')).toEqual({ ...nameless, isNew: false })
  })
})
