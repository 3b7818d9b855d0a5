/** Which files the bundles of a push are about to bring. */
import { describe, expect, it } from 'vitest'
import type { TreeEntry } from '../../../src/protocol/listing.js'
import { LackingFiles, lackedFiles } from '../../../src/store/trees/older-bytes.js'

const name = (text: string): Buffer => Buffer.from(text)
const texts = (files: LackingFiles): string[] => files.names.map((one) => `${one}`)

describe('files that a push lacks', () => {
  it('are those of its last listings that have not come, in the order in which they will', () => {
    const files = new LackingFiles()
    files.lack(0, ['a', 'b/c', 'd'].map(name))
    files.lack(1, ['e', 'f'].map(name))
    expect(texts(files)).toEqual(['a', 'b/c', 'd', 'e', 'f'])
    files.came(0, name('b/c'))
    expect(texts(files).sort()).toEqual(['d', 'e', 'f'])
    files.came(1, name('z'))
    files.came(7, name('a'))
    expect(texts(files)).toEqual(['d'])
    files.clear()
    expect(texts(files)).toEqual([])
  })

  it('are of two listings at most', () => {
    const files = new LackingFiles()
    for (let bundle = 0; bundle < 5; bundle++) files.lack(bundle, [name(`${bundle}`)])
    expect(texts(files)).toEqual(['3', '4'])
  })

  it('are those of the lacking entries that a bundle brings', () => {
    const attributes = { mode: 0o644, mtimeSeconds: 1, mtimeNanos: 0 }
    const file = (text: string, isAlone: boolean): TreeEntry => ({
      ...{ kind: 'file', name: name(text), attributes, size: 1, dataBytes: 1 },
      ...{ digest: name('digest..'), at: null, isAlone },
    })
    const directory: TreeEntry = { kind: 'directory', name: name('d'), attributes }
    const entries = [file('a', false), file('b', true), directory, file('e', false)]
    const listed = entries.map((entry, index) => ({ index: index + 1, entry, isAgain: false }))
    const found = (lacks: [number, number][]) => lackedFiles(listed, lacks).map((one) => `${one}`)
    expect(found([[1, 4]])).toEqual(['a', 'e'])
    expect(found([[2, 2]])).toEqual([])
    expect(found([[4, 1]])).toEqual(['e'])
  })
})
