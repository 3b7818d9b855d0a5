/** Pages of the versions that a node keeps, and where they go on. */
import { describe, expect, it } from 'vitest'
import { VersionAnswers, type VersionAnswersSpec } from '../../../src/agent/version-answers.js'
import { limits } from '../../../src/base/limits.js'
import { decodeName } from '../../../src/protocol/manifest.js'
import { recordOf } from '../store/records.js'

/** A node that has these files, with one earlier version each, and these trees with two. */
function nodeWith(files: readonly string[], trees: readonly string[]) {
  const bytes = (names: readonly string[]): Uint8Array[] =>
    names.map((name) => Buffer.from(name)).sort(Buffer.compare)
  const tree = { isWhole: true, fileDigest: `tree:${'ab'.repeat(32)}`, size: 5, ownBytes: 2 }
  const shown = { number: 1, count: 1, keptAtMs: 7 }
  const answers = new VersionAnswers({
    storage: { lookAt: async (_: unknown, names: readonly Uint8Array[]) => names.map(() => null) },
    store: {
      catalogue: { get: (name: Uint8Array) => recordOf(name) },
      versions: {
        names: bytes(files),
        of: (name: Uint8Array) => [{ record: recordOf(name, 1) }],
      },
    },
    heldTrees: {
      versions: {
        names: async () => bytes(trees),
        of: async () => [
          { ...tree, number: 2, kept: null, publishedAtMs: 9 },
          { ...tree, number: 1, kept: shown, publishedAtMs: 5 },
        ],
      },
    },
  } as unknown as VersionAnswersSpec)
  /** Names of all pages, one after the other. */
  const pages = async (): Promise<string[][]> => {
    const found: string[][] = []
    for (let after: string | null = ''; after !== null; ) {
      const page = await answers.list(null, after)
      expect(page.entries.length).toBeLessThanOrEqual(limits.versionPageNames)
      for (const { versions } of page.entries)
        expect(versions.map(({ back }) => back)).toEqual([0, 1])
      found.push(page.entries.map((entry) => Buffer.from(decodeName(entry)).toString()))
      after = page.next
    }
    return found
  }
  return { pages }
}

const numbered = (count: number, first: string): string[] =>
  Array.from({ length: count }, (_, at) => `${first}${String(at).padStart(4, '0')}`)

describe('pages of versions', () => {
  const most = limits.versionPageNames

  it.each([
    [0, 0],
    [most - 1, 0],
    [most, 0],
    [most + 1, 0],
    [2 * most, 1],
    [most - 1, 2],
    [0, most + 1],
    [3, 2 * most],
  ])('name each of %i files and of %i trees once', async (files, trees) => {
    const [names, others] = [numbered(files, 'f'), numbered(trees, 'a')]
    const pages = await nodeWith(names, others).pages()
    expect(pages.flat()).toEqual([...names, ...others])
  })
})
