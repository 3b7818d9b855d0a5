/** What the storage tests of the conformance suite are made of. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { FileHandle, LostAttribute, PublishSpec } from '../../src/ports.js'
import type { Party, World } from './world.js'

/** Matches an FrError of this code. */
export function failsWith(code: string) {
  return expect.objectContaining({ name: 'FrError', code })
}

/** A party with a data directory. */
export interface Store {
  readonly party: Party
  readonly data: string
  readonly dir: number
  /** A partial with these bytes in it. */
  create(id: string, bytes: Buffer): Promise<FileHandle>
  publish(
    file: FileHandle,
    id: string,
    fields: Partial<PublishSpec>,
  ): Promise<readonly LostAttribute[]>
}

export async function storeOf(world: World): Promise<Store> {
  const party = await world.party()
  const { storage } = party.engine
  const data = join(world.root, world.name())
  mkdirSync(data)
  const dir = await storage.openDataDir(data)
  return {
    party,
    data,
    dir,
    create: async (id, bytes) => {
      const file = await storage.createPartial(dir, id, bytes.length)
      writeFileSync(join(data, '.fastreplica', 'partials', id), bytes)
      return file
    },
    publish: (file, id, fields) =>
      storage.publish(dir, {
        file,
        id,
        name: Buffer.from('name'),
        mode: 0o640,
        mtime: { seconds: 1_600_000_000, nanos: 0 },
        noClobber: false,
        ...fields,
      }),
  }
}
