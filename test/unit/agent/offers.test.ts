/** An offer at a node, and what comes behind one that has to wait. */
import { expect, it } from 'vitest'
import { OfferReader } from '../../../src/agent/offers.js'
import { hexOf } from '../../../src/base/bytes.js'
import { blockBytesFor, limits } from '../../../src/base/limits.js'
import type { Frame } from '../../../src/control/messages/types.js'
import { spanBytes } from '../../../src/control/space/space.js'
import { paginate } from '../../../src/protocol/manifest.js'
import { planOf } from '../control/plans.js'
import { seededSigner } from '../protocol/support.js'

type Offer = Frame & { readonly type: 'offer' }

function offered(
  more: Partial<Offer> = {},
  isGrowing = false,
): { reader: OfferReader; frames: Frame[] } {
  const signer = seededSigner(1)
  const size = 100
  const { pages, summary } = paginate(
    [
      {
        ...{ stream: 0, contentId: 'c0'.repeat(16), author: 'a7'.repeat(32) },
        ...{ name: 'file', nameIsBase64: false, mode: 0o644, mtimeSeconds: 1, mtimeNanos: 5 },
        ...{ base: 0, span: spanBytes(size, blockBytesFor(size)), size, dataBytes: size },
        ...(isGrowing && { growing: true as const, span: limits.growingSpanBytes }),
      },
    ],
    signer,
  )
  const offer: Frame = {
    ...{ type: 'offer', transfer: 't', digest: 'blake3', noClobber: false, strict: false },
    ...{ ...summary, author: hexOf(signer.publicKey), silenceMs: limits.silenceMs },
    ...{ planned: false, fileDigest: null, role: 'receiver', ...more },
  }
  return { reader: new OfferReader(), frames: [offer, ...pages] }
}

it('is complete with the last page of its manifest', () => {
  const { reader, frames } = offered()
  expect(() => new OfferReader().take(planOf(0, [0]))).toThrow("'plan' came before an offer")
  const taken = [{ type: 'beat' } as const, ...frames].map((frame) => reader.take(frame))
  expect(taken.slice(0, -1)).toEqual(frames.map(() => undefined))
  expect(taken.at(-1)?.offer).toBe(frames[0])
})

it.each([
  [{ digest: 'xxh64' }, 'ERR_FR_PROTOCOL', 'digests of blake3, not xxh64'],
  [{ role: 'mirror' }, 'ERR_FR_UNSUPPORTED', 'with a mirror'],
  [{ role: 'gateway' }, 'ERR_FR_UNSUPPORTED', 'with a gateway'],
  [{ beside: true }, 'ERR_FR_UNSUPPORTED', 'with a commit'],
] as const)('is refused of what is still written: %o', (more, code, text) => {
  const takes = (isGrowing: boolean): unknown => {
    const { reader, frames } = offered(more, isGrowing)
    return frames.map((frame) => reader.take(frame)).at(-1)
  }
  expect(takes(false)).toBeDefined()
  expect(() => takes(true)).toThrow(expect.objectContaining({ code }))
  expect(() => takes(true)).toThrow(text)
})

it('is complete of what is still written', () => {
  const { reader, frames } = offered({}, true)
  expect(frames.map((frame) => reader.take(frame)).at(-1)?.entry.growing).toBe(true)
})

it('is given what came behind it while it waited, in order: a few frames', () => {
  const { reader, frames } = offered()
  for (const frame of frames) reader.take(frame)
  const plans = Array.from({ length: limits.framesBehindOffer }, (_, epoch) =>
    planOf(0, [0], { epoch, phase: 'forming' }),
  )
  for (const plan of plans) expect(reader.take(plan)).toBeUndefined()
  expect(() => reader.take(planOf(0, [0]))).toThrow('too much came behind an offer')
  expect(reader.takeRest()).toEqual(plans)
  expect(reader.takeRest()).toEqual([])
})
