/**
 * The parts of the portable engine that can be judged alone: interval set, record header, lock
 * file.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import xxhash from 'xxhash-wasm'
import { SpanSet } from '../../src/base/spans.js'
import { acquireLock, isStaleLock } from '../../src/engine/lock.js'
import { Budget } from '../../src/engine/portable/budget.js'
import {
  decodeRecordHeader,
  encodeRecordHeader,
  type RecordHeader,
  type RecordKind,
} from '../../src/engine/portable/record.js'
import fc from '../support/property.js'

const { h64Raw } = await xxhash()

describe('interval set', () => {
  const span = fc
    .tuple(fc.integer({ min: 0, max: 63 }), fc.integer({ min: 1, max: 20 }))
    .map(([begin, length]) => [begin, Math.min(64, begin + length)] as const)
  const step = fc.record({ isAdd: fc.boolean(), span })

  /** The runs of `wanted` in an array of bits. */
  function runs(bits: readonly boolean[], wanted: boolean, begin: number, end: number): number[][] {
    const found: number[][] = []
    for (let at = begin; at < end; at += 1) {
      if (bits[at] !== wanted) continue
      const last = found.at(-1)
      if (last !== undefined && last[1] === at) last[1] = at + 1
      else found.push([at, at + 1])
    }
    return found
  }

  it('agrees with an array of bits after any adds and removes', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), span, (steps, [begin, end]) => {
        const set = new SpanSet()
        const bits: boolean[] = Array.from({ length: 64 }, () => false)
        for (const {
          isAdd,
          span: [low, high],
        } of steps) {
          bits.fill(isAdd, low, high)
          if (isAdd) {
            const whole = set.add(low, high)
            expect(runs(bits, true, 0, 64)).toContainEqual([...whole])
            expect(whole[0] <= low && whole[1] >= high).toBe(true)
          } else set.remove(low, high)
        }
        const all = runs(bits, true, 0, 64)
        expect([...set]).toEqual(all)
        expect(set.pieces).toBe(all.length)
        expect(set.bytes).toBe(bits.filter(Boolean).length)
        expect(set.present(begin, end)).toEqual(runs(bits, true, begin, end))
        expect(set.missing(begin, end)).toEqual(runs(bits, false, begin, end))
        expect(set.next(begin)).toEqual(runs(bits, true, begin, 64)[0])
      }),
      { numRuns: 500 },
    )
  })

  it('holds offsets up to 2^53 - 1', () => {
    const set = new SpanSet()
    const max = Number.MAX_SAFE_INTEGER
    set.add(max - 2, max)
    expect(set.add(max - 5, max - 2)).toEqual([max - 5, max])
    expect(set.bytes).toBe(5)
  })
})

describe('record header', () => {
  const sound: fc.Arbitrary<RecordHeader> = fc
    .record({
      kind: fc.constantFrom<RecordKind>('payload', 'hole', 'digests', 'end'),
      scratch: fc.boolean(),
      number: fc.integer({ min: 0, max: 0xffff }),
      stream: fc.integer({ min: 0, max: 0xffff_ffff }),
      offset: fc.maxSafeNat(),
      length: fc.integer({ min: 1, max: 1024 * 1024 }),
      digestBytes: fc.integer({ min: 1, max: 256 * 1024 }),
    })
    .map(({ kind, scratch, number, stream, offset, length, digestBytes }) =>
      kind === 'end'
        ? { kind, scratch: false, route: 0, stream: 0, offset: 0, length: 0, digestBytes: 0 }
        : {
            kind,
            scratch: scratch && kind === 'payload',
            route: scratch && kind === 'payload' ? 0 : number,
            stream,
            offset,
            length,
            digestBytes: kind === 'digests' ? digestBytes : 0,
          },
    )
  const seeds = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn })

  it('comes back as it was written, under the same seed only', () => {
    fc.assert(
      fc.property(sound, seeds, seeds, (header, seed, other) => {
        const bytes = Buffer.alloc(32, 0xaa)
        encodeRecordHeader(bytes, header, seed, h64Raw)
        expect(decodeRecordHeader(bytes, seed, h64Raw)).toEqual(header)
        if (seed !== other) expect(decodeRecordHeader(bytes, other, h64Raw)).toBeNull()
      }),
    )
  })

  it('is refused with any one bit flipped, and never throws on noise', () => {
    fc.assert(
      fc.property(sound, seeds, fc.integer({ min: 0, max: 255 }), (header, seed, bit) => {
        const bytes = Buffer.alloc(32)
        encodeRecordHeader(bytes, header, seed, h64Raw)
        bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
        expect(decodeRecordHeader(bytes, seed, h64Raw)).toBeNull()
      }),
    )
    const noise = fc.uint8Array({ minLength: 32, maxLength: 32 })
    fc.assert(
      // The check is made right, so that the fields are judged.
      fc.property(noise, seeds, (bytes, seed) => {
        const header = Buffer.from(bytes)
        header.writeUInt32LE(Number(h64Raw(header.subarray(0, 28), seed) & 0xffff_ffffn), 28)
        const read = decodeRecordHeader(header, seed, h64Raw)
        if (read === null) return
        const back = Buffer.alloc(32)
        encodeRecordHeader(back, read, seed, h64Raw)
        expect(back.equals(header)).toBe(true)
      }),
    )
  })

  it('has the layout of the architecture page, byte for byte', () => {
    const bytes = Buffer.alloc(32)
    const header = {
      kind: 'digests',
      scratch: false,
      route: 0x0102,
      stream: 0x01020304,
      offset: 0x0011_2233_4455_66,
      length: 0x0a0b0c0d,
      digestBytes: 0x00010203,
    } as const
    encodeRecordHeader(bytes, header, 7n, h64Raw)
    expect(bytes.subarray(0, 28).toString('hex')).toBe(
      'f5012003' + '0000' + '0201' + '04030201' + '03020100' + '6655443322110000' + '0d0c0b0a',
    )
    expect(bytes.readUInt32LE(28)).toBe(Number(h64Raw(bytes.subarray(0, 28), 7n) & 0xffff_ffffn))
  })
})

describe.runIf(process.platform === 'linux')('lock file', () => {
  let root = ''
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'fr-lock-'))
  })
  afterEach(() => rmSync(root, { recursive: true, force: true }))

  const locked = expect.objectContaining({ code: 'ERR_FR_DATA_DIR_LOCKED' })

  /** The record of a lock this process holds, with some fields changed. */
  async function recordWith(change: (fields: unknown[]) => void): Promise<string> {
    const path = join(root, 'model')
    const release = await acquireLock(path)
    const fields = JSON.parse(readFileSync(path, 'utf8')) as unknown[]
    release()
    change(fields)
    return JSON.stringify(fields)
  }

  it('of a process that is gone is taken over', async () => {
    const script = 'process.stdout.write(String(process.pid))'
    const pid = Number(execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' }))
    const path = join(root, 'lock')
    writeFileSync(path, await recordWith((fields) => fields.splice(2, 1, pid)))
    const release = await acquireLock(path)
    await expect(acquireLock(path)).rejects.toEqual(locked)
    release()
    release()
    ;(await acquireLock(path))()
  })

  it('of several that take over a stale one, one gets it', async () => {
    const path = join(root, 'lock')
    writeFileSync(path, await recordWith((fields) => fields.splice(3, 1, '1')))
    const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => acquireLock(path)))
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(outcome.reason).toEqual(locked)
  })

  it('is stale exactly when its holder cannot be running', async () => {
    expect(isStaleLock(await recordWith(() => {}))).toBe(false)
    expect(isStaleLock(await recordWith((fields) => fields.splice(1, 1, 'another boot')))).toBe(
      true,
    )
    expect(isStaleLock(await recordWith((fields) => fields.splice(3, 1, '1')))).toBe(true)
    expect(isStaleLock(await recordWith((fields) => fields.splice(0, 1, 'another-host')))).toBe(
      false,
    )
    for (const noise of ['', '{}', '[]', 'null', '[1,2,3,4,5]', 'not json']) {
      expect(isStaleLock(noise), noise).toBe(false)
    }
  })
})

describe('a budget', () => {
  it('brings something at less than a byte in a burst', async () => {
    const budget = new Budget()
    budget.setRate(30)
    const account = budget.open()
    let granted = 0
    while (granted < 3) granted += await account.take(1)
    expect(granted).toBe(3)
    account.close()
  })
})
