/** Frames on a link that outlives its connections: none is lost, none comes twice. */

import { describe, expect, it } from 'vitest'
import { limits } from '../../../src/base/limits.js'
import { FrameNumbers } from '../../../src/protocol/frame-numbers.js'
import fc from '../../support/property.js'

const refusal = expect.objectContaining({ code: 'ERR_FR_PROTOCOL' })

/** One end: frames are numbers in order, and so are those that it has got. */
class End {
  readonly numbers = new FrameNumbers<number>()
  readonly got: number[] = []
  /** On their way to the other end, in order; a word about what was heard is negative. */
  wire: number[] = []
  #next = 1

  send(): void {
    this.#put(this.#next++)
  }

  #put(frame: number): void {
    this.numbers.sent(frame, 100)
    this.wire.push(frame)
  }

  take(frame: number): void {
    if (frame <= 0) return this.numbers.wereHeard(-frame)
    this.numbers.took(100)
    this.got.push(frame)
    if (this.numbers.isDue) this.wire.push(-this.numbers.tell())
  }

  resume(heard: number): void {
    this.wire = []
    for (const frame of this.numbers.resume(heard)) this.#put(frame)
  }

  get sent(): number[] {
    return Array.from({ length: this.#next - 1 }, (_, i) => i + 1)
  }
}

type Step = readonly ['send' | 'deliver', end: 0 | 1, times: number] | readonly ['break']

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(
    fc.constantFrom('send' as const, 'deliver' as const),
    fc.constantFrom(0 as const, 1 as const),
    fc.integer({ min: 1, max: 200 }),
  ),
  fc.constant(['break'] as const),
)

describe('frames on a link whose connection breaks again and again', () => {
  it('come once each, in order, and few are kept', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const ends = [new End(), new End()] as const
        const deliver = (from: 0 | 1, times: number): void => {
          for (const frame of ends[from].wire.splice(0, times)) ends[from === 0 ? 1 : 0].take(frame)
        }
        const resume = (): void => {
          // Both have said what they heard before either goes on.
          const heard = ends.map(({ numbers }) => numbers.heard)
          ends[0].resume(heard[1] as number)
          ends[1].resume(heard[0] as number)
        }
        for (const [what, end, times] of steps) {
          if (what === 'break') resume()
          else if (what === 'deliver') deliver(end, times)
          else for (let i = 0; i < times; i++) ends[end].send()
        }
        resume()
        while (ends.some(({ wire }) => wire.length > 0)) {
          deliver(0, 7)
          deliver(1, 7)
        }
        expect(ends[1].got).toEqual(ends[0].sent)
        expect(ends[0].got).toEqual(ends[1].sent)
        for (const { numbers } of ends)
          expect(numbers.keptBytes).toBeLessThan(100 * limits.heardFrames)
      }),
      { numRuns: 200 },
    )
  })

  it('are told of by their number or by their bytes', () => {
    const numbers = new FrameNumbers<string>()
    for (let i = 1; i < limits.heardFrames; i++) numbers.took(1)
    expect(numbers.isDue).toBe(false)
    numbers.took(1)
    expect([numbers.isDue, numbers.tell(), numbers.isDue]).toEqual([
      true,
      limits.heardFrames,
      false,
    ])
    numbers.took(limits.heardBytes)
    expect([numbers.isDue, numbers.tell()]).toEqual([true, limits.heardFrames + 1])
  })
})

describe('a number of frames that cannot have been heard', () => {
  const three = (): FrameNumbers<string> => {
    const numbers = new FrameNumbers<string>()
    for (const frame of ['a', 'b', 'c']) numbers.sent(frame, 10)
    numbers.wereHeard(1)
    return numbers
  }

  it.each([-1, 0, 4, Number.MAX_SAFE_INTEGER])(
    '%d is refused, and nothing is forgotten',
    (heard) => {
      const numbers = three()
      expect(numbers.mayHaveHeard(heard)).toBe(false)
      expect(() => numbers.wereHeard(heard)).toThrow(refusal)
      expect(() => numbers.resume(heard)).toThrow(refusal)
      expect([numbers.keptBytes, numbers.resume(1)]).toEqual([20, ['b', 'c']])
    },
  )

  it('is none that was said before or is the last', () => {
    const numbers = three()
    numbers.wereHeard(1)
    numbers.wereHeard(3)
    expect([numbers.keptBytes, numbers.resume(3)]).toEqual([0, []])
  })
})
