/** Frames about versions and file sets that are refused. */
import { describe, expect, it } from 'vitest'
import { limits } from '../../../src/base/limits.js'
import type { Frame } from '../../../src/control/messages/types.js'
import { decodeBody, encodeBody } from '../../../src/protocol/frames.js'
import { refusal } from './support.js'

const name = { name: 'a', nameIsBase64: false }
const digest = `blake3:${'ab'.repeat(32)}`
const version = {
  ...{ kind: 'file', back: 0, state: 'held', contentId: 'ab'.repeat(16), author: 'cd'.repeat(32) },
  ...{ size: 7, fileDigest: digest, diskBytes: 7, publishedAtMs: 0, keptAtMs: null },
}

describe('frames about versions', () => {
  const decode = (frame: object): Frame => {
    const { type, bytes } = encodeBody(frame as Frame)
    return decodeBody(type, bytes)
  }
  const refused = (frame: object) => refusal(() => decode(frame))

  it.each(['', '-0', '-', '12345', 'ABCDEF', 'xyzxyz', `a`.repeat(129), '-99999'])(
    'name no version %j',
    (bad) => {
      refused({ type: 'rollback', ...name, version: bad })
    },
  )

  it('are within bounds', () => {
    const withVersions = (versions: object[]) => {
      const entries = [{ ...name, versions }]
      return { type: 'versionsListed', nowMs: 1, entries, next: null }
    }
    const right = withVersions(Array.from({ length: limits.versionsPerName + 1 }, () => version))
    expect(decode(right)).toEqual(right)
    refused(withVersions(Array.from({ length: limits.versionsPerName + 2 }, () => version)))
    for (const bad of [
      { diskBytes: 8 },
      { back: limits.versionsPerName + 1 },
      { state: 'new' },
      { keptAtMs: -1 },
      { fileDigest: 'blake3:' },
    ])
      refused(withVersions([{ ...version, ...bad }]))
    const file = { ...name, size: 7, fileDigest: digest }
    const set = Array.from({ length: limits.setPageFiles + 1 }, () => file)
    refused({ type: 'lacks', entries: set })
    const lacking = (...indices: number[]) =>
      refused({ type: 'lacking', entries: indices.map((index) => ({ index, has: null })) })
    lacking(1, 1)
    lacking(2, 1)
    lacking(limits.setPageFiles)
  })
})
