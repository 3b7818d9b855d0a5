/** A nodes file of 5,000 lines of which 100 do not answer, from the file to the closing table. */
import { expect, it } from 'vitest'
import { KIB, limits } from '../../../src/base/limits.js'
import { parseNodesFile } from '../../../src/cli/arguments/addresses.js'
import { closingLines, pushExitStatus } from '../../../src/cli/render/closing.js'
import { announced, Bench, outcomes } from '../control/coordinator/origin-support.js'
import { outcomeOf, plain, resultOf } from './support.js'

const all = 5_000
const isSilent = (node: number): boolean => node % 50 === 7

it('reaches all that answer, and names those that do not', () => {
  const lines = Array.from(
    { length: all },
    (_, i) => `10.7.${i >> 8}.${i & 255}:7400 site=s${i % 4}`,
  )
  const targets = parseNodesFile(`# all of them\n${lines.join('\n')}\n`, 'nodes.txt')
  const nodes = targets.map(({ address, site }) => ({ address, ...(site && { site }) }))
  const blockBytes = 64 * KIB
  const groups = { shape: 'chain', groupSize: 16 } as const
  const bench = new Bench(all, { nodes, bytes: 4 * blockBytes, blockBytes, retries: 0, ...groups })
  const living = [...nodes.keys()].filter((node) => !isSilent(node))
  bench.ready(...living)
  // All the time to connect is over, which is less than the plan may wait for as many.
  bench.nowMs = limits.readyMs + limits.readyMsPerNode * all
  expect(bench.nowMs).toBeGreaterThan(limits.reachMs)
  const failed = outcomes(bench.feed({ type: 'due' }))
  bench.sealed()
  const { peers } = bench.machine
  expect(peers.filter(({ phase }) => phase === 'running')).toHaveLength(4_900)
  const done = living.flatMap((node) => announced(bench.complete(node)))
  expect(done.filter(({ status }) => status === 'complete')).toHaveLength(4_900)
  const silent = nodes.filter((_, node) => isSilent(node)).map(({ address }) => address)
  expect(failed.map(([node]) => node)).toEqual(silent)
  for (const [, status, reason] of failed) {
    expect(status).toBe('failed')
    expect(reason).toMatch(/^ERR_FR_UNREACHABLE: /)
  }
  const shown = peers.flatMap(({ outcome }) =>
    outcome ? outcomeOf({ ...outcome, servedBy: null }) : [],
  )
  const result = resultOf({ nodes: shown, shares: [] })
  const closing = closingLines(result, [], 100, plain)
  expect(closing.length).toBeLessThan(150)
  expect(closing.find((line) => line.startsWith('100 nodes failed: '))).toBeDefined()
  expect(closing.join(' ')).toContain(silent[0])
  expect(pushExitStatus(result)).toBe(3)
})
