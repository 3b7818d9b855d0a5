/** Generators and helpers that the protocol tests share. */
import { createPrivateKey } from 'node:crypto'
import { expect } from 'vitest'
import { cleanText } from '../../../src/base/bytes.js'
import { FrError, type FrErrorCode } from '../../../src/base/errors.js'
import { blockBytesFor } from '../../../src/base/limits.js'
import type { RangePair } from '../../../src/base/ranges.js'
import type { StreamEntry } from '../../../src/control/messages/types.js'
import { signerOf } from '../../../src/net/crypto.js'
import { encodeName } from '../../../src/protocol/manifest.js'
import type { Signer } from '../../../src/protocol/primitives.js'
import fc from '../../support/property.js'
import { hex } from './parts.js'

/** Runs `action` and gives the FrError it must throw. */
export function refusal(action: () => unknown, code: FrErrorCode = 'ERR_FR_PROTOCOL'): FrError {
  let thrown: unknown
  try {
    action()
  } catch (error) {
    thrown = error
  }
  expect(thrown).toBeInstanceOf(FrError)
  expect((thrown as FrError).code).toBe(code)
  return thrown as FrError
}

/** Signs with the Ed25519 key whose 32 secret bytes all are this one. */
export function seededSigner(byte: number): Signer {
  const pkcs8 = Buffer.from(`302e020100300506032b657004220420${'00'.repeat(32)}`, 'hex')
  pkcs8.fill(byte, 16)
  return signerOf(createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }))
}

/** Runs `action`; anything but FrError it throws fails the test. */
export function onlyFrError(action: () => unknown): void {
  try {
    action()
  } catch (error) {
    if (!(error instanceof FrError)) throw error
  }
}

export const bytes = fc.nat({ max: Number.MAX_SAFE_INTEGER })
export const u32 = fc.nat({ max: 0xffff_ffff })
export const mate = fc.nat({ max: 0xffff_ffff })
export const text = fc.string({ unit: 'binary', maxLength: 40 }).map(cleanText)
export const code = fc.constantFrom<FrErrorCode>('ERR_FR_IO', 'ERR_FR_NO_SPACE', 'ERR_FR_ABORTED')

/** Gaps and lengths laid end to end: sorted, disjoint, not touching. */
export const ranges = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 2 ** 30 }), fc.integer({ min: 1, max: 2 ** 30 })), {
    maxLength: 20,
  })
  .map((steps) => {
    let at = -1
    return steps.map(([gap, length]): RangePair => {
      const offset = at + gap
      at = offset + length
      return [offset, length]
    })
  })

export const rawName = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 60 }),
  fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
    .map((s) => new Uint8Array(Buffer.from(s))),
)

export const streamEntry: fc.Arbitrary<StreamEntry> = fc
  .record({
    stream: u32,
    contentId: hex(32),
    author: hex(64),
    raw: rawName,
    size: fc.nat({ max: 2 ** 40 }),
    mode: fc.nat({ max: 0o7777 }),
    mtimeSeconds: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
    mtimeNanos: fc.nat({ max: 999_999_999 }),
    only: fc.constantFrom(undefined, 'site=eu', 'gpu && !name=old-*'),
  })
  .map(({ raw, only, ...rest }) => ({
    ...rest,
    ...(only !== undefined && { only }),
    base: blockBytesFor(rest.size) * 3,
    span: rest.size + 7,
    dataBytes: Math.floor(rest.size / 3),
    ...encodeName(raw),
  }))

/** Cuts bytes into pieces of the given sizes, over and over. */
export function* pieces(whole: Uint8Array, sizes: readonly number[]): Generator<Uint8Array> {
  let at = 0
  for (let turn = 0; at < whole.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1
    yield whole.subarray(at, at + size)
    at += size
  }
}
