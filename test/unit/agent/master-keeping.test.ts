/** What a master has to know over its restarts is there again, and a full disk stops nobody. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Keeping } from '../../../src/agent/master/keeping.js'
import { FrError } from '../../../src/base/errors.js'
import type { Logger } from '../../../src/base/log.js'
import { Master, type MasterFact } from '../../../src/control/copies/master.js'
import type { FileSet } from '../../../src/control/copies/sets.js'
import { type KeptEntry, keptOf } from '../../../src/control/messages/kept.js'
import { StateFiles } from '../../../src/store/master/state-files.js'
import type { StateStore } from '../../../src/store/master/state-store.js'

let directory: string
const lines: Parameters<Logger>[0][] = []
beforeEach(() => {
  directory = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'fr-keeping-'))
  lines.length = 0
})
afterEach(() => rmSync(directory, { recursive: true }))

const rate = { bytesPerSecond: 1e6 }
const content = (name: string, letter: string, isGrowing = false) => ({
  ...{ name, contentId: letter.repeat(32), size: 10, isGrowing, ranges: null },
  digest: isGrowing ? null : `blake3:${letter.repeat(64)}`,
})
const set: FileSet = {
  ...{ name: 's', where: null, nodes: ['n'], priority: 5, never: null, from: null },
  files: [{ name: 'f', digest: null }],
}

async function run(store: StateStore = new StateFiles(directory)) {
  const master = new Master({ faults: 1 })
  const keeping = new Keeping(store, (line) => lines.push(line))
  const listeners = new Set<(fact: MasterFact) => void>()
  const service = {
    ...{ master, nowMs: 1_000 },
    onFact(listener: (fact: MasterFact) => void) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    post(fact: MasterFact) {
      master.post(fact, 1_000)
      for (const listener of listeners) listener(fact)
    },
  }
  keeping.begin(service, await keeping.load())
  const join = (node: string, files: ReturnType<typeof content>[] = []) => {
    const attributes = { name: node, site: 'a' }
    service.post({ type: 'joined', node, site: 'a', attributes, up: rate, down: rate })
    service.post({ type: 'state', node, files, gone: [], isAll: true, freeBytes: 1_000 })
  }
  return { ...service, keeping, join }
}

describe('a master that ends and is there again', () => {
  it('knows its sets, drained nodes, which version came last, and what has failed', async () => {
    const first = await run()
    first.post({ type: 'sets', sets: [set] })
    first.join('m', [content('f', 'a'), content('g', 'c', true)])
    first.join('n')
    first.join('o', [content('f', 'b'), content('g', 'c')])
    const [wish] = first.master.advance(1_000).filter(({ type }) => type === 'copy')
    const id = wish?.type === 'copy' ? wish.copy.id : -1
    const ended = { bytes: 0, cause: 'ERR_FR_IO', blames: ['disk'] as const }
    first.post({ type: 'copied', node: 'n', copy: id, ended })
    first.post({ type: 'drain', node: 'o', isDrained: true })
    expect(await first.keeping.flushed()).toBe(true)
    await first.keeping.close()

    const second = await run()
    expect(second.master.sets).toEqual([set])
    expect(second.master.versions.find('f', null)?.contentId).toBe('b'.repeat(32))
    expect(second.master.versions.find('g', null)).toMatchObject({ isGrowing: false })
    expect([second.keeping.isDrained('o'), second.keeping.isDrained('m')]).toEqual([true, false])
    // The other way round than before: who comes first decides nothing.
    second.join('o', [content('f', 'b')])
    second.join('m', [content('f', 'a')])
    second.join('n')
    expect(second.master.versions.find('f', null)?.contentId).toBe('b'.repeat(32))
    expect(second.master.members.get('o')).toMatchObject({ isDrained: true })
    const disk = { kind: 'disk', id: second.master.network.nodeId('n') as number } as const
    expect(second.master.components.isFailed(disk)).toBe(true)
    second.post({ type: 'drain', node: 'o', isDrained: false })
    await second.keeping.close()
    const third = await run()
    third.join('o')
    expect(third.master.members.get('o')).toMatchObject({ isDrained: false })
    await third.keeping.close()
    expect(lines).toEqual([])
  })

  it('knows that an earlier content was published again', async () => {
    const first = await run()
    first.join('m', [content('f', 'a')])
    const put = (letter: string, id: string) => {
      const files = [{ ...content('f', letter), contentId: id.repeat(32) }]
      const gone = [...first.master.versions.all].map(({ contentId }) => ({ name: 'f', contentId }))
      first.post({ type: 'state', node: 'm', files, gone, isAll: false, freeBytes: 1_000 })
    }
    put('b', 'b')
    put('a', 'c')
    expect(first.master.versions.find('f', null)?.contentId).toBe('c'.repeat(32))
    await first.keeping.close()
    const second = await run()
    const latest = second.master.versions.find('f', null)
    expect(latest).toMatchObject({ digest: `blake3:${'a'.repeat(64)}` })
    expect(second.master.versions.count).toBe(2)
    await second.keeping.close()
  })

  it('goes on in memory on a full disk, says so once, and writes all of it later', async () => {
    const written: KeptEntry[] = []
    let isFull = true
    const refuse = () => new FrError('ERR_FR_NO_SPACE', 'no space left')
    const first = await run({
      ...{ isLarge: false, load: async () => ({ entries: [], notes: [] }), close: async () => {} },
      append: async (entries) => {
        if (isFull) throw refuse()
        written.push(...entries)
      },
      snapshot: async (entries) => {
        if (isFull) throw refuse()
        written.splice(0, written.length, ...entries)
      },
    })
    first.post({ type: 'sets', sets: [set] })
    expect(await first.keeping.flushed()).toBe(false)
    first.join('m', [content('f', 'a')])
    expect(await first.keeping.flushed()).toBe(false)
    expect(lines.map(({ event }) => event)).toEqual(['state-not-kept'])
    expect(first.master.sets).toEqual([set])
    isFull = false
    await first.keeping.retry()
    expect(lines.at(-1)?.event).toBe('state-kept')
    first.post({ type: 'drain', node: 'm', isDrained: true })
    expect(await first.keeping.flushed()).toBe(true)
    const kept = keptOf(written)
    expect([kept.sets, [...kept.drained], kept.heard.length]).toEqual([[set], ['m'], 1])
    await first.keeping.close()
  })
})
