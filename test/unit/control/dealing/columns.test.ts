/** Which of the columns of a head takes the next unit. */
import { describe, expect, it } from 'vitest'
import { Columns } from '../../../../src/control/dealing/columns.js'
import { Chain } from '../../../../src/control/plan/chain.js'

const unit = 1_000_000

/** A first group of five, a second of four: what a head carries goes in two parts, not equal. */
function started(): { chain: Chain; columns: Columns } {
  const chain = new Chain({ shape: 'chain', groupSize: 5 })
  chain.start(Array.from({ length: 9 }, (_, node) => ({ node })))
  return { chain, columns: new Columns(chain) }
}

/** Bytes of each column, after so many units to this head. */
function dealt(columns: Columns, among: readonly number[], units: number): Map<number, number> {
  const bytes = new Map(among.map((column) => [column, 0]))
  for (let i = 0; i < units; i++) {
    const column = columns.idlest(among) as number
    columns.deal(column, unit)
    bytes.set(column, (bytes.get(column) ?? 0) + unit)
  }
  return bytes
}

describe('columns of one head', () => {
  it.each(['columnsFrom', 'pastsFrom'] as const)('take turns by their width: %s', (of) => {
    const { chain, columns } = started()
    let uneven = 0
    for (const head of chain.heads) {
      const among = [...chain[of](head)]
      if (among.length < 2) continue
      const width = among.reduce((sum, column) => sum + chain.widthOf(column), 0)
      // Reports that nothing waits begin no turn anew.
      const bytes = new Map(among.map((column) => [column, 0]))
      for (let round = 0; round < 40; round++) {
        for (const [column, more] of dealt(columns, among, 10))
          bytes.set(column, (bytes.get(column) ?? 0) + more)
        for (const column of among)
          for (const node of chain.entriesOf(column)) columns.reported(node, 0)
      }
      for (const column of among) {
        const share = chain.widthOf(column) / width
        expect((bytes.get(column) as number) / (400 * unit)).toBeCloseTo(share, 1)
        if (Math.abs(share - 1 / among.length) > 0.1) uneven++
      }
    }
    expect(uneven).toBeGreaterThan(0)
  })

  it('give way to what waits at a node behind one of them', () => {
    const { chain, columns } = started()
    const head = chain.heads.find((one) => chain.columnsFrom(one).length > 1) as number
    const among = [...chain.columnsFrom(head)]
    const [slow, ...others] = among as [number, ...number[]]
    const entries = new Set(others.flatMap((column) => chain.entriesOf(column)))
    const behind = chain.entriesOf(slow).find((node) => !entries.has(node)) as number
    columns.reported(behind, 1_000 * unit)
    expect(dealt(columns, among, 100).get(slow)).toBe(0)
  })
})
