/** The program around a node has a say in a tree once, not in each of its parts. */
import { describe, expect, it } from 'vitest'
import { limits } from '../../../src/base/limits.js'
import { Consents } from '../../../src/session/receiver/consents.js'

const partOf = (id: string, originId = 'o') => ({
  originId,
  tree: { id, isBundle: true, isAtomic: false },
})

function counting(answer: () => Promise<void> = async () => {}) {
  const asked = { times: 0 }
  const ask = (): Promise<void> => {
    asked.times++
    return answer()
  }
  return { asked, ask }
}

describe('consents', () => {
  it('are asked for once a tree of one origin, also by parts that come together', async () => {
    const consents = new Consents()
    const { asked, ask } = counting()
    expect(consents.has(partOf('t'))).toBe(false)
    await Promise.all([1, 2, 3].map(() => consents.ask(partOf('t'), ask)))
    await consents.ask(partOf('t'), ask)
    expect(asked.times).toBe(1)
    expect(consents.has(partOf('t'))).toBe(true)
    await consents.ask(partOf('t', 'another'), ask)
    await consents.ask(partOf('u'), ask)
    expect(asked.times).toBe(3)
  })

  it('are asked for with every file that is part of no tree', async () => {
    const consents = new Consents()
    const { asked, ask } = counting()
    for (let i = 0; i < 2; i++) await consents.ask({ originId: 'o', tree: undefined }, ask)
    expect(asked.times).toBe(2)
  })

  it('are asked for again after a refusal, by each part that waited for it', async () => {
    const consents = new Consents()
    let answers = 0
    const { asked, ask } = counting(async () => {
      if (++answers === 1) throw new Error('no')
    })
    const all = [1, 2].map(() => consents.ask(partOf('t'), ask))
    expect((await Promise.allSettled(all)).map(({ status }) => status)).toEqual([
      'rejected',
      'fulfilled',
    ])
    expect(asked.times).toBe(2)
  })

  it('are forgotten for the oldest tree when there are many', async () => {
    const consents = new Consents()
    const { asked, ask } = counting()
    for (let i = 0; i <= limits.treesPerNode; i++) await consents.ask(partOf(`t${i}`), ask)
    expect(consents.has(partOf('t0'))).toBe(false)
    expect(consents.has(partOf('t1'))).toBe(true)
    expect(asked.times).toBe(limits.treesPerNode + 1)
  })
})
