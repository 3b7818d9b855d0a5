/** Pages of what a node holds, their bounds and where they go on; how files are verified. */
import { once } from 'node:events'
import { describe, expect, it, vi } from 'vitest'
import { HeldFiles, type HeldFilesSpec } from '../../../src/agent/held-files.js'
import { FrError } from '../../../src/base/errors.js'
import { limits } from '../../../src/base/limits.js'
import { encodeBody } from '../../../src/protocol/frames.js'
import { recordOf } from '../store/records.js'

/** It has none. */
const trees = {
  within: async () => () => false,
  list: async () => null,
  verify: async () => undefined,
}

/** A node that has records of these names, and none of the files. */
function nodeWith(names: readonly (string | Uint8Array)[]) {
  const records = names.map((name) => recordOf(name))
  records.sort((a, b) => Buffer.compare(a.name, b.name))
  let looks = 0
  const held = new HeldFiles({
    storage: {
      openHeld: async () => {
        looks++
        throw new FrError('ERR_FR_NOT_HELD')
      },
      listPartials: async () => [],
    },
    store: { catalogue: { list: () => records } },
    prepared: () => [],
    removed: async () => {},
    growing: () => new Map(),
    trees,
  } as unknown as HeldFilesSpec)
  const list = async (after: string, limit: number, glob: string | null = null) => {
    const page = await held.list({ glob: glob === null ? null : Buffer.from(glob), after, limit })
    return { page, names: page.entries.map(({ name }) => name), next: page.next }
  }
  return { records, list, looks: () => looks }
}

const numbered = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `f${String(index).padStart(6, '0')}`)

describe('a page', () => {
  it('has at most as many files as are asked for, and looks at no others', async () => {
    const node = nodeWith(['a', 'b', 'c', 'd', 'e'])
    const first = await node.list('', 2)
    expect(first.names).toEqual(['a', 'b'])
    expect(node.looks()).toBe(2)
    const second = await node.list(first.next ?? '', 2)
    expect(second.names).toEqual(['c', 'd'])
    const last = await node.list(second.next ?? '', 2)
    expect(last).toMatchObject({ names: ['e'], next: null })
  })

  it('goes on behind a name that is not there any more, and before one that is new', async () => {
    const node = nodeWith(['a', 'b', 'd'])
    const { next } = await node.list('', 2)
    node.records.splice(1, 2, recordOf('c'), recordOf('d'))
    expect(await node.list(next ?? '', 2)).toMatchObject({ names: ['c', 'd'] })
    node.records.length = 0
    expect(await node.list(next ?? '', 2)).toMatchObject({ names: [], next: null })
  })

  it('fits its frame, whatever the names are', async () => {
    const names = Array.from({ length: 40 }, (_, at) => Buffer.alloc(limits.nameBytes - 1, at + 1))
    const node = nodeWith(names)
    const seen: string[] = []
    for (let after: string | null = ''; after !== null; ) {
      const { page, next, names: found } = await node.list(after, limits.listPageFiles)
      expect(encodeBody(page).bytes.length).toBeLessThan(limits.frameBytes)
      expect(next?.length ?? 0).toBeLessThanOrEqual(limits.listCursorChars)
      seen.push(...found)
      after = next
    }
    expect(seen).toHaveLength(40)
  })

  it('ends after enough names that do not match, and goes on', async () => {
    const last = `f${String(2 * limits.listNames).padStart(6, '0')}`
    const node = nodeWith(numbered(2 * limits.listNames + 1))
    const pages: string[][] = []
    // A page may end sooner, when its time is over.
    for (let after: string | null = ''; after !== null; ) {
      const { next, names } = await node.list(after, 10, last)
      expect(next).not.toBe(after)
      pages.push(names)
      after = next
    }
    expect(pages.length).toBeGreaterThan(2)
    expect(pages.flat()).toEqual([last])
    expect(node.looks()).toBe(1)
  })

  it('ends after enough steps of matching', async () => {
    const names = Array.from({ length: 100 }, (_, at) => `${'a'.repeat(4_000)}${at + 100}`)
    const node = nodeWith(names)
    const { next, names: found } = await node.list('', 1_000, `*${'a'.repeat(2_000)}b`)
    expect(found).toEqual([])
    expect(next).not.toBeNull()
  })

  it.each([
    'x',
    'h',
    'h!',
    'hYQ==',
    'p',
    'p../a',
    't!',
    'eYQ',
    'eYQ.YQ.YQ',
    'tYQ.',
    `p${'a'.repeat(129)}`,
    'YQ',
  ])('goes on at no place that no page named: %s', async (after) => {
    const refusal = expect.objectContaining({ code: 'ERR_FR_PROTOCOL' })
    if (after !== 'h') await expect(nodeWith(['a']).list(after, 1)).rejects.toEqual(refusal)
    // Before all names, which is as good a place as any.
    else expect(await nodeWith(['a']).list(after, 1)).toMatchObject({ names: ['a'] })
  })
})

describe('files of which several are removed', () => {
  /** A node with these files, of which a transfer has one. */
  function nodeWith(names: readonly string[], busy: string) {
    const there = new Map(names.map((name) => [name, recordOf(name)]))
    const asked: string[] = []
    const held = new HeldFiles({
      storage: {
        remove: async (_: unknown, name: Uint8Array) => {
          expect(asked.at(-1)).toBe(Buffer.from(name).toString())
        },
        listPartials: async () => [],
      },
      store: {
        requireWritable: () => {},
        makeWay: async () => 0,
        versions: { removeAll: async () => 0 },
        catalogue: {
          list: () => [...there.values()],
          get: (name: Uint8Array) => there.get(Buffer.from(name).toString()),
          remove: async (name: Uint8Array) => there.delete(Buffer.from(name).toString()),
        },
      },
      removed: async () => {},
      names: {
        without: async (name: Uint8Array, work: () => Promise<unknown>) => {
          asked.push(Buffer.from(name).toString())
          if (asked.at(-1) === busy) throw new FrError('ERR_FR_BUSY', 'a transfer has it')
          return work()
        },
      },
      trees: { reachedBy: async () => [] },
      log: () => {},
    } as unknown as HeldFilesSpec)
    const remove = (glob: string) =>
      held.remove(Buffer.from(glob), true, {
        isRemoving: () => {},
        signal: new AbortController().signal,
      })
    return { there, asked, remove }
  }

  it('go while nobody writes them; one that somebody writes stays and is named', async () => {
    const node = nodeWith(['a.log', 'b.log', 'c.log', 'd'], 'b.log')
    expect(await node.remove('*.log')).toEqual({
      type: 'removed',
      ...{ entries: 2, kept: 0, failedCount: 1 },
      text: '"b.log": a transfer has it',
    })
    expect(node.asked).toEqual(['a.log', 'b.log', 'c.log'])
    expect([...node.there.keys()]).toEqual(['b.log', 'd'])
  })
})

describe('a file that is verified', () => {
  const name = Buffer.from('a')

  /** Files whose reading ends only when it is called off. */
  function endless() {
    let files = 0
    const record = recordOf('a')
    // Two blocks.
    const run = { offset: 0, length: record.size, payload: new Uint8Array(65 + 2 * 32) }
    const catalogue = { get: () => record, runs: async () => [run] }
    const storage = {
      openHeld: async () => ({}),
      identityOf: async () => record.identity,
      closeFile: () => {
        files--
      },
    }
    const work = {
      async *hash(_file: unknown, _geometry: unknown, signal: AbortSignal) {
        files++
        yield { offset: 0, length: 65_536, digests: new Uint8Array(32) }
        await once(signal, 'abort')
        throw signal.reason
      },
    }
    const store = { catalogue, holdings: { catalogue, spec: { storage } } }
    const held = new HeldFiles({ storage, store, work } as unknown as HeldFilesSpec)
    return { held, files: () => files }
  }

  it('is read until nobody waits for it, and at most so many at once', async () => {
    const { held, files } = endless()
    const off = new AbortController()
    const read: number[][] = []
    const reading = Array.from({ length: limits.verifiesPerNode }, () =>
      held.verify(name, (...bytes) => read.push(bytes), off.signal),
    )
    await vi.waitFor(() => expect(read).toHaveLength(limits.verifiesPerNode))
    expect(read[0]).toEqual([65_536, recordOf('a').size])
    const further = held.verify(name, () => {}, off.signal)
    await expect(further).rejects.toMatchObject({ code: 'ERR_FR_LIMIT' })
    expect(files()).toBe(limits.verifiesPerNode)
    off.abort(new Error('hung up'))
    for (const each of reading) await expect(each).rejects.toThrow('hung up')
    expect(files()).toBe(0)
    const again = held.verify(name, () => {}, AbortSignal.abort(new Error('late')))
    await expect(again).rejects.toThrow('late')
  })

  it('that cannot be read is an answer', async () => {
    const store = { catalogue: { get: () => undefined }, versions: { meant: () => undefined } }
    const held = new HeldFiles({ store, trees } as unknown as HeldFilesSpec)
    expect(await held.verify(name, () => {}, new AbortController().signal)).toMatchObject({
      type: 'verified',
      code: 'ERR_FR_NOT_HELD',
      fileDigest: null,
    })
  })
})
