/**
 * Extended attributes and ACLs of a tree, from the files of the sender to those of a node. They are
 * set and read by the engine's own calls, so no tools are needed.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openEngine } from '../../src/agent/engines.js'
import { push } from '../../src/api/index.js'
import { NativeTreeFiles } from '../../src/engine/native/tree-files.js'
import type { ExtendedAttribute } from '../../src/ports.js'
import { usualEngines } from './engines.js'
import { useWorld, type WorldNode } from './push-support.js'

const wants = { xattrs: true, acls: true }
const mtime = { seconds: 1_500_000_000, nanos: 0 }

/** As Linux has it: for the owner, user 1000, the group, the mask, others. */
function aclOf(): Uint8Array {
  const none = 0xffff_ffff
  const entries = [...[1, 6, none, 2, 4, 1000, 4, 4, none], ...[0x10, 4, none, 0x20, 0, none]]
  const acl = Buffer.alloc(4 + (entries.length / 3) * 8)
  acl.writeUInt32LE(2, 0)
  for (let at = 0; at < entries.length; at += 3) {
    const [tag = 0, bits = 0, id = 0] = entries.slice(at)
    const place = 4 + (at / 3) * 8
    acl.writeUInt16LE(tag, place)
    acl.writeUInt16LE(bits, place + 2)
    acl.writeUInt32LE(id, place + 4)
  }
  return acl
}

describe.runIf(usualEngines.includes('native'))('a tree', () => {
  const world = useWorld('native')

  /** What the file system did not keep, if anything. */
  async function give(name: string, xattrs: readonly ExtendedAttribute[]): Promise<string[]> {
    const { engine } = await openEngine('native', () => {})
    const { storage } = engine
    const dir = await storage.openDataDir(world.dir)
    const attributes = { mode: 0o640, mtime, xattrs }
    const step = { kind: 'attributes', name: Buffer.from(name), attributes } as const
    const [outcome] = await storage.placeEntries(dir, [step])
    storage.closeDataDir(dir)
    await engine.shutdown()
    return [...(outcome?.lost ?? []), ...(outcome?.failure ? [outcome.failure.text] : [])]
  }

  it('keeps extended attributes and ACLs where it is told to', async ({ skip }) => {
    const path = join(world.dir, 'site')
    mkdirSync(join(path, 'd'), { recursive: true })
    for (const name of ['f', 'd/g']) writeFileSync(join(path, name), name)
    const xattrs = [
      { name: 'system.posix_acl_access', value: aclOf() },
      { name: 'user.note', value: Buffer.of(1, 0, 2) },
    ]
    const lost = await give('site/f', xattrs)
    skip(lost.length > 0, `this file system does not keep ${lost.join(', ')}`)
    const [node] = (await world.nodes(1)) as [WorldNode]
    const files = new NativeTreeFiles()
    const about = async (root: string) => {
      const names = ['f', 'd/g'].map((name) => Buffer.from(join(root, name)))
      const looks = await Promise.all(names.map((name) => files.look(name, wants)))
      return looks.map((look) => ({ mode: look.mode, xattrs: look.xattrs }))
    }
    const pushed = (more: object) =>
      push(path, { to: [node.address], engine: 'native', rejoinMs: 0, ...more }).result
    await pushed({})
    expect((await about(join(node.dataDir, 'site')))[0]?.xattrs).toBe(undefined)
    expect((await pushed(wants)).nodes[0]?.tree).toMatchObject({ changed: 1, failedCount: 0 })
    const wanted = await about(path)
    expect(wanted[0]?.xattrs).toEqual(xattrs)
    expect(await about(join(node.dataDir, 'site'))).toEqual(wanted)
    // What has them is left alone; one that is another is set again.
    const again = await pushed(wants)
    expect(again.tree).toMatchObject({ movedBytes: 0, failedCount: 0 })
    expect(again.nodes[0]?.tree).toMatchObject({ changed: 0 })
    await give('site/f', [{ name: 'user.note', value: Buffer.of(2) }])
    expect((await pushed(wants)).nodes[0]?.tree).toMatchObject({ changed: 1 })
    expect(await about(join(node.dataDir, 'site'))).toEqual(await about(path))
  })
})
