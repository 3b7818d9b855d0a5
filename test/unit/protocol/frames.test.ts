import { describe, expect, it } from 'vitest'
import { concat, u32, utf8 } from '../../../src/base/bytes.js'
import { limits } from '../../../src/base/limits.js'
import type { Frame } from '../../../src/control/messages/types.js'
import {
  decodeBody,
  encodeBody,
  encodeFrame,
  FrameReader,
  wireBytes,
} from '../../../src/protocol/frames.js'
import fc from '../../support/property.js'
import { anyFrame, frameTypes, sampleFrames } from './frame-support.js'
import { pieces, refusal } from './support.js'

const newReader = (): FrameReader => new FrameReader()

function readAll(reader: FrameReader, chunks: Iterable<Uint8Array>): Frame[] {
  const frames: Frame[] = []
  for (const chunk of chunks) reader.push(chunk, (frame) => frames.push(frame))
  return frames
}

/** A frame as a peer could forge it, whatever its body. */
function forged(type: number, json: string): Uint8Array {
  return encodeFrame({ type, bytes: utf8(json) })
}

function decodeJson(type: Frame['type'], fields: object): Frame {
  const sample = sampleFrames.find((frame) => frame.type === type) as Frame
  const { type: _, ...body } = { ...sample, ...fields }
  return decodeBody(encodeBody(sample).type, utf8(JSON.stringify(body)))
}

describe('round trip', () => {
  it('gives every frame back, in pieces of any size', () => {
    fc.assert(
      fc.property(
        fc.array(anyFrame, { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 5 }),
        (frames, sizes) => {
          const wire = concat(...frames.map((frame) => encodeFrame(encodeBody(frame))))
          const reader = newReader()
          expect(readAll(reader, pieces(wire, sizes))).toEqual(frames)
          expect(reader.isPartial).toBe(false)
        },
      ),
      { numRuns: 300 },
    )
  })

  it('knows a sample and a number for every type', () => {
    expect(sampleFrames.map((frame) => frame.type).sort()).toEqual([...frameTypes].sort())
    const numbers = sampleFrames.map((frame) => encodeBody(frame).type)
    expect(new Set(numbers).size).toBe(frameTypes.length)
  })

  it('is byte exact', () => {
    const body = encodeBody({ type: 'bad', offset: 3, length: 5 })
    const wire = encodeFrame(body)
    const json = '{"offset":3,"length":5}'
    expect(Buffer.from(wire.subarray(0, 5)).toString('hex')).toBe('1800000014')
    expect(Buffer.from(wire.subarray(5)).toString()).toBe(json)
    expect(wireBytes(body)).toBe(wire.length)
  })

  it('ignores fields it does not know', () => {
    expect(decodeJson('beat', { colour: 'red' })).toEqual({ type: 'beat' })
  })

  it('cleans and cuts texts of peers', () => {
    const frame = decodeJson('failed', { text: `\u001b[2J\u202e${'x'.repeat(10_000)}` })
    expect(frame).toMatchObject({ text: expect.stringMatching(/^\?\[2J\?x+$/) })
    expect((frame as { text: string }).text).toHaveLength(limits.errorTextChars)
  })

  it('cuts texts of this side, which may come from code of somebody else', () => {
    const text = 'x'.repeat(2 * limits.frameBytes)
    const body = encodeBody({ type: 'refuse', code: 'ERR_FR_REFUSED', text })
    const cut = text.slice(0, limits.errorTextChars)
    expect(decodeBody(body.type, body.bytes)).toMatchObject({ text: cut })
  })
})

const nodeOut = { nodeId: '', address: 'a:1', state: 'out' }

describe('a violation', () => {
  const wire = (): Uint8Array => encodeFrame(encodeBody({ type: 'beat' }))

  it('is final, and keeps what came before it', () => {
    const reader = newReader()
    const frames: Frame[] = []
    const chunk = concat(wire(), u32(1))
    const error = refusal(() => reader.push(chunk, (frame) => frames.push(frame)))
    expect(frames).toEqual([{ type: 'beat' }])
    expect(refusal(() => reader.push(wire(), () => undefined))).toBe(error)
  })

  it.each([0, 1, limits.frameBytes + 1, 0xffff_ffff])('is a length of %i', (length) => {
    expect(refusal(() => readAll(newReader(), [u32(length)])).message).toMatch(/announced/)
  })

  it('is a type nobody knows', () => {
    expect(refusal(() => readAll(newReader(), [forged(200, '{}')])).message).toMatch(/type 200/)
  })

  it.each(['', 'nonsense', '[]', '"text"', '3', 'null', '\ufeff{}'])('is the body %j', (json) => {
    refusal(() => decodeBody(6, utf8(json)))
  })

  it('is a body that is not UTF-8', () => {
    refusal(() => decodeBody(6, Uint8Array.of(0x7b, 0xff, 0x7d)))
  })

  const tooManyRanges = Array.from({ length: limits.needRanges + 1 }, (_, at) => [at * 2, 1])
  const memberOf = (fields: object): object => {
    return { number: 0, nodeId: 'ab'.repeat(16), address: 'a:1', ...fields }
  }
  const heldOf = (fields: object): object => {
    const known = { fileDigest: null, publishedAtMs: null, verifiedAtMs: null }
    const entry = { contentId: 'ab'.repeat(16), size: 7, heldBytes: 7, entries: null, ...known }
    const name = { name: 'a.', nameIsBase64: false, kind: 'file', state: 'held' }
    return { ...name, ...entry, ...fields }
  }
  const edgeOf = (fields: object): object => {
    return { member: 0, id: 'ab'.repeat(16), secret: 'cd'.repeat(32), ...fields }
  }
  const runs = (...lists: [number, number][]): [number, number][] => lists
  const overlapping = runs([0, 5], [4, 2])
  const touching = runs([0, 5], [5, 2])
  it.each<[Frame['type'], string, object]>([
    ['offer', 'transfer', { transfer: 'AB'.repeat(16) }],
    ['offer', 'transfer', { transfer: 'ab' }],
    ['offer', 'digest', { digest: 'md5' }],
    ['offer', 'noClobber', { noClobber: 1 }],
    ['offer', 'streams', { streams: 0 }],
    ['offer', 'streams', { streams: limits.streamsPerTransfer + 1 }],
    ['offer', 'bytes', { bytes: -1 }],
    ['offer', 'bytes', { bytes: 2 ** 53 }],
    ['offer', 'bytes', { bytes: 1.5 }],
    ['offer', 'bytes', { bytes: '10' }],
    ['offer', 'bytes', { bytes: undefined }],
    ['offer', 'manifestPages', { manifestPages: limits.manifestPages + 1 }],
    ['offer', 'author', { author: 'x'.repeat(64) }],
    ['manifest', 'signature', { signature: '00'.repeat(63) }],
    ['manifest', 'page', { page: limits.manifestPages }],
    ['manifest', 'entries', { entries: {} }],
    ['manifest', 'not an object', { entries: [7] }],
    ['manifest', 'size', { entries: [{ stream: 0, name: 'a', nameIsBase64: false, size: -1 }] }],
    ['plan', 'strategy', { strategy: 'swarm' }],
    ['plan', 'shape', { shape: 'ring' }],
    ['plan', 'term', { term: 3 }],
    ['plan', 'counter', { term: { counter: 0, member: 1 } }],
    ['plan', 'epoch', { epoch: -1 }],
    ['plan', 'you', { you: -1 }],
    ['plan', 'you', { you: 2 ** 32 }],
    ['plan', 'phase', { phase: 'over' }],
    ['plan', 'members', { members: new Array(limits.membersPerPlan + 1).fill({}) }],
    ['plan', 'number', { members: [memberOf({ number: -1 })] }],
    ['plan', 'nodeId', { members: [memberOf({ nodeId: 'x' })] }],
    ['plan', 'address', { members: [memberOf({ address: 'nowhere' })] }],
    ['plan', 'site', { members: [memberOf({ site: 's'.repeat(limits.siteChars + 1) })] }],
    ['plan', 'site', { members: [memberOf({ site: 7 })] }],
    ['plan', 'parents', { parents: [-1] }],
    ['plan', 'routes', { routes: new Array(limits.routesPerPlan + 1).fill({}) }],
    ['plan', 'route', { routes: [{ route: 0, to: [] }] }],
    ['plan', 'next', { routes: [{ route: 1, to: [{ member: 1, next: 2 ** 16 }] }] }],
    ['plan', 'to', { routes: [{ route: 1, to: 1 }] }],
    ['plan', 'standbys', { standbys: [0, 1, 2, 3] }],
    ['plan', 'edges', { edges: new Array(limits.membersPerPlan + 1).fill({}) }],
    ['plan', 'member', { edges: [edgeOf({ member: -2 })] }],
    ['plan', 'id', { edges: [edgeOf({ id: 'AB'.repeat(16) })] }],
    ['plan', 'secret', { edges: [edgeOf({ secret: 'cd' })] }],
    ['plan', 'progressMs', { progressMs: 0 }],
    ['detour', 'ranges', { ranges: [[0, 0]] }],
    ['accept', 'have', { have: tooManyRanges }],
    ['accept', 'have', { have: undefined }],
    ['accept', 'have', { have: touching }],
    ['roster', 'entries', { entries: [1, 1].map((number) => ({ ...nodeOut, number })) }],
    ['roster', 'state', { entries: [{ number: 0, nodeId: '', address: 'a:1', state: 'away' }] }],
    ['roster', 'entries', { entries: new Array(limits.rosterEntries + 1).fill({}) }],
    ['detour', 'member', { member: -2 }],
    ['detour', 'why', { why: 'gone' }],
    ['stale', 'term', { term: null }],
    ['lagging', 'members', { members: [2, 1] }],
    ['seal', 'stream', { stream: 2 ** 32 }],
    ['seal', 'fileDigest', { fileDigest: 'xxh64-blocks/65536:00' }],
    ['seal', 'fileDigest', { fileDigest: `blake3:${'0'.repeat(63)}` }],
    ['seal', 'fileDigest', { fileDigest: `blake3-blocks/65536:${'0'.repeat(64)}` }],
    ['seal', 'fileDigest', { fileDigest: `sha256-blocks/65536:${'0'.repeat(16)}` }],
    ['seal', 'fileDigest', { fileDigest: `xxh64-blocks/065536:${'0'.repeat(16)}` }],
    ['abort', 'code', { code: 'ERR_FR_NONE' }],
    ['abort', 'code', { code: 'toString' }],
    ['abort', 'text', { text: 5 }],
    ['need', 'ranges', { ranges: tooManyRanges }],
    [
      'need',
      'ranges',
      {
        ranges: [
          [5, 5],
          [0, 2],
        ],
      },
    ],
    ['need', 'ranges', { ranges: overlapping }],
    ['need', 'ranges', { ranges: touching }],
    ['need', 'ranges', { ranges: [[1, 2, 3]] }],
    ['need', 'ranges', { ranges: [7] }],
    ['need', 'ranges', { ranges: [[-1, 2]] }],
    ['need', 'ranges', { ranges: [[2 ** 53 - 2, 2]] }],
    ['needDigests', 'ranges', { ranges: tooManyRanges }],
    ['pull', 'request', { request: -1 }],
    ['pull', 'ranges', { ranges: tooManyRanges }],
    ['pull', 'ranges', { ranges: overlapping }],
    ['pull', 'ranges', { ranges: touching }],
    ['pull', 'ranges', { ranges: [[0, 0]] }],
    ['swarm', 'have', { have: [[0, limits.swarmUnits + 1]] }],
    ['swarm', 'wants', { wants: [limits.swarmUnits] }],
    ['swarm', 'name', { name: 7 }],
    ['swarmed', 'grants', { grants: [1, 2, 3, 4, 5] }],
    ['swarmed', 'againMs', { againMs: limits.swarmAgainMsCrowded + 1 }],
    ['holding', 'ranges', { ranges: overlapping }],
    ['holding', 'backlogBytes', { backlogBytes: -1 }],
    ['pullRefused', 'code', { code: 'ERR_FR_NONE' }],
    ['bad', 'length', { offset: 2 ** 53 - 2, length: 2 }],
    ['edgeLost', 'incoming', { incoming: 'yes' }],
    ['status', 'json', { json: {} }],
    ['joined', 'request', { request: -1 }],
    ['joined', 'request', { request: 2 ** 53 }],
    ['joined', 'code', { code: 'ERR_FR_NONE' }],
    ['joined', 'code', { code: false }],
    ['joined', 'code', { code: undefined }],
    ['joined', 'text', { code: null, text: 7 }],
    ['join', 'request', { request: '1' }],
    ['join', 'address', { node: { address: '127.1:7400' } }],
    ['join', 'address', { node: { address: 'a:65536' } }],
    ['join', 'address', { node: { address: '-s:1' } }],
    ['join', 'address', { node: { address: `${'a'.repeat(limits.addressChars)}:1` } }],
    ['add', 'transfer', { transfer: 'ab' }],
    ['add', 'transfer', { transfer: 'AB'.repeat(16) }],
    ['add', 'address', { node: { address: null } }],
    ['limit', 'transfer', { transfer: 'ab' }],
    ['limit', 'upBytesPerSecond', { upBytesPerSecond: 0 }],
    ['limit', 'upBytesPerSecond', { upBytesPerSecond: limits.rateMin - 1 }],
    ['limit', 'downBytesPerSecond', { downBytesPerSecond: 2e15 }],
    ['limited', 'downBytesPerSecond', { downBytesPerSecond: '1' }],
    ['offer', 'share', { share: 7 }],
    ['offer', 'priority', { share: { priority: 0 } }],
    ['offer', 'flows', { share: { flows: 17 } }],
    ['offer', 'upBytesPerSecond', { share: { upBytesPerSecond: 1.5 } }],
    ['list', 'glob', { glob: undefined }],
    ['list', 'glob', { glob: '*' }],
    ['list', 'name', { glob: { name: 7, nameIsBase64: false } }],
    ['list', 'name', { glob: { name: '', nameIsBase64: false } }],
    ['list', 'name', { glob: { name: '*'.repeat(limits.nameBytes + 1), nameIsBase64: false } }],
    ['list', 'after', { after: null }],
    ['list', 'after', { after: 'h'.repeat(limits.listCursorChars + 1) }],
    ['list', 'limit', { limit: 0 }],
    ['list', 'limit', { limit: limits.listPageFiles + 1 }],
    ['listed', 'nowMs', { nowMs: -1 }],
    ['listed', 'entries', { entries: Array.from({ length: limits.listPageFiles + 1 }) }],
    ['listed', 'kind', { entries: [heldOf({ kind: 'socket' })] }],
    ['listed', 'entries', { entries: [heldOf({ entries: -1 })] }],
    ['listed', 'state', { entries: [heldOf({ state: 'whole' })] }],
    ['listed', 'contentId', { entries: [heldOf({ contentId: '' })] }],
    ['listed', 'heldBytes', { entries: [heldOf({ heldBytes: 8 })] }],
    ['listed', 'fileDigest', { entries: [heldOf({ fileDigest: 'blake3:' })] }],
    ['listed', 'publishedAtMs', { entries: [heldOf({ publishedAtMs: 0.5 })] }],
    ['listed', 'base64url', { entries: [heldOf({ nameIsBase64: true })] }],
    ['listed', 'canonical', { entries: [heldOf({ name: 'YQ', nameIsBase64: true })] }],
    ['listed', 'next', { next: 7 }],
    ['remove', 'name', { name: '' }],
    ['fetch', 'name', { name: '' }],
    ['flows', 'count', { count: 1 }],
    ['flows', 'count', { count: 17 }],
    ['fetched', 'you', { you: 0 }],
    ['fetched', 'secret', { edge: { id: '0'.repeat(32), secret: '0'.repeat(62) } }],
    ['fetched', 'id', { edge: { id: 'g'.repeat(32), secret: '0'.repeat(64) } }],
    ['fetched', 'edge', { edge: null }],
    ['fetched', 'entry', { entry: [] }],
    ['fetched', 'digest', { digest: 'md5' }],
    ['fetched', 'fileDigest', { fileDigest: null }],
    ['fetch', 'pack', { pack: 7 }],
    ['fetched', 'pack', { pack: null }],
    ['remove', 'nameIsBase64', { nameIsBase64: 1 }],
    ['verify', 'name', { name: null }],
    ['verifying', 'readBytes', { readBytes: 2 ** 53 }],
    ['verified', 'code', { code: 'ERR_FR_NONE' }],
    ['verified', 'badBytes', { badBytes: '1' }],
    ['verified', 'failures', { tree: { entries: 1, failedCount: 0, failures: [{}] } }],
    ['remove', 'isGlob', { isGlob: null }],
    ['removed', 'kept', { kept: -1 }],
    ['verified', 'fileDigest', { fileDigest: '' }],
  ])('is frame %s with a wrong %s', (type, named, fields) => {
    expect(refusal(() => decodeJson(type, fields)).message).toContain(named)
  })
})

describe('the sender', () => {
  it('gets a TypeError for a frame that is too long', () => {
    expect(() => encodeBody({ type: 'status', json: '"'.repeat(limits.frameBytes) })).toThrow(
      TypeError,
    )
  })

  it('fits the largest frames of each kind', () => {
    const ranges = Array.from({ length: limits.needRanges }, (_, at): [number, number] => [
      2 ** 52 + at * 2 ** 20,
      2 ** 20 - 1,
    ])
    const body = encodeBody({ type: 'need', scratch: true, ranges })
    expect(wireBytes(body)).toBeLessThan(limits.frameBytes)
  })
})
