/** What travels of trees beside their bundles: the offer of a part, and what a node made of one. */

import { describe, expect, it } from 'vitest'
import { limits } from '../../../src/base/limits.js'
import type { Applied } from '../../../src/control/messages/types.js'
import { readApplied, readTreePart } from '../../../src/protocol/applied.js'
import { Fields, parseObject } from '../../../src/protocol/fields.js'
import { decodeBody, encodeBody } from '../../../src/protocol/frames.js'
import fc from '../../support/property.js'
import { hex } from './parts.js'
import { onlyFrError, refusal } from './support.js'

const most = limits.treeBatchEntries
const applied: Applied = {
  lacks: [
    [0, 2],
    [5, 1],
  ],
  held: 3,
  done: 4,
  failed: [{ index: 9, code: 'ERR_FR_IS_DIRECTORY', text: 'in the way' }],
  failedCount: 2,
  warnings: ['w'],
}

const complete = {
  type: 'complete',
  bytes: 1,
  repairedBytes: 0,
  fileDigest: `blake3:${'0'.repeat(64)}`,
  warnings: [],
} as const

describe('what a node made of a bundle', () => {
  it('comes back as it was sent, and only where there is something', () => {
    const dry = { sets: [[3, 2] as const], removes: ['a', 'b/c'], removedCount: 9 }
    const asked = { ...complete, applied: { ...applied, dry } }
    for (const frame of [{ ...complete, applied }, complete, asked]) {
      const { type, bytes } = encodeBody(frame)
      expect(decodeBody(type, bytes)).toEqual(frame)
    }
  })

  it('fits a frame at its bounds, whatever its texts are', () => {
    const lacks = Array.from({ length: most / 2 }, (_, i): [number, number] => [2 * i, 1])
    const text = '\u{1f600}'.repeat(limits.errorTextChars / 2)
    const failed = Array.from({ length: limits.treeFailuresTold }, (_, i) => ({
      index: most - 1 - i,
      code: 'ERR_FR_DATA_DIR_LOCKED' as const,
      text,
    }))
    const warnings = new Array<string>(limits.warningsPerNode).fill(text)
    const removes = new Array<string>(limits.treeRemovalBytes / 64).fill('\u{1f600}'.repeat(16))
    const sets = lacks.map(([from]): [number, number] => [from + 1, 1])
    const dry = { sets, removes, removedCount: Number.MAX_SAFE_INTEGER }
    const full = { ...applied, lacks, failed, failedCount: most, warnings, dry }
    const { type, bytes } = encodeBody({ ...complete, warnings, applied: full })
    expect(decodeBody(type, bytes)).toEqual({ ...complete, warnings, applied: full })
  })

  it.each<[string, object]>([
    ['lacks', { lacks: [[most - 1, 2]] }],
    ['sets', { dry: { sets: [[most, 1]], removes: [], removedCount: 0 } }],
    ['removes', { dry: { sets: [], removes: ['a'], removedCount: 0 } }],
    ['lacks', { lacks: Array.from({ length: most / 2 + 1 }, (_, i) => [2 * i, 1]) }],
    [
      'lacks',
      {
        lacks: [
          [0, 1],
          [1, 1],
        ],
      },
    ],
    ['held', { held: most + 1 }],
    ['done', { done: -1 }],
    ['failedCount', { failedCount: most + 1 }],
    ['failed', { failedCount: 0 }],
    ['failed', { failed: new Array(limits.treeFailuresTold + 1).fill(applied.failed[0]) }],
    ['index', { failed: [{ ...applied.failed[0], index: most }] }],
    ['code', { failed: [{ ...applied.failed[0], code: 'ERR_FR_NONE' }] }],
    ['warnings', { warnings: new Array(limits.warningsPerNode + 1).fill('') }],
  ])('is refused for its %s: %o', (field, wrong) => {
    const fields = new Fields({ ...applied, ...wrong }, 'applied')
    expect(refusal(() => readApplied(fields)).message).toContain(field)
  })

  it('throws nothing but FrError, whatever JSON it is', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(...Object.keys(applied)), (value, field) => {
        onlyFrError(() => readApplied(new Fields({ ...applied, [field]: value }, 'applied')))
        onlyFrError(() => readTreePart(new Fields(value, 'tree')))
      }),
    )
  })
})

describe('the part of a tree in an offer', () => {
  it('is read as it was written', () => {
    const part = fc.record({ id: hex(32), isBundle: fc.boolean(), isAtomic: fc.boolean() })
    fc.assert(
      fc.property(part, (tree) => {
        const json = new TextEncoder().encode(JSON.stringify(tree))
        expect(readTreePart(parseObject(json, 'tree'))).toEqual(tree)
      }),
    )
    const short = new Fields({ id: 'ab', isBundle: true, isAtomic: false }, 'tree')
    expect(refusal(() => readTreePart(short)).message).toContain('id')
  })
})
