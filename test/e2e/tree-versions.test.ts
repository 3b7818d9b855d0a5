/** The next version of a tree of small files: what of it is at the nodes already does not move. */
import { mkdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type PushOptions, push } from '../../src/api/index.js'
import { KIB } from '../../src/base/limits.js'
import { steadyBytes } from '../support/steady-bytes.js'
import { engines } from './engines.js'
import { keepsNothing, useWorld } from './push-support.js'
import { treeLines } from './tree-files.js'

describe.each(engines)('the next version of a tree on the %s engine', (engine) => {
  const world = useWorld(engine)

  const pushed = (
    path: string,
    to: readonly { address: string }[],
    more: Partial<PushOptions> = {},
  ) => {
    const about = { to: to.map(({ address }) => address), engine, as: 'site', rejoinMs: 0 }
    return push(path, { ...about, ...more }).result
  }

  /** Files of 100 KiB; of the later version each other one begins with a few further bytes. */
  function versions(): { readonly before: string; readonly after: string } {
    const before = join(world.dir, 'before')
    const after = join(world.dir, 'after')
    for (const path of [before, after]) mkdirSync(join(path, 'in'), { recursive: true })
    for (let at = 0; at < 40; at++) {
      const content = steadyBytes(100 * KIB, at)
      const name = join('in', `file-${at}`)
      writeFileSync(join(before, name), content)
      const next = at % 2 === 0 ? content : Buffer.concat([steadyBytes(10, 100), content])
      writeFileSync(join(after, name), next)
    }
    writeFileSync(join(after, 'new'), steadyBytes(64 * KIB, 101))
    return { before, after }
  }

  it.each([{ atomic: false }, { atomic: true }])('moves what has changed, %o', async (how) => {
    const to = await world.nodes(3)
    const { before, after } = versions()
    const [one, two] = to
    if (one === undefined || two === undefined) throw new Error('no nodes')
    const first = await pushed(before, [one, two], how)
    expect(first.tree?.transfers).toBe(1)
    // The third has nothing; it gets all of it in the same push.
    const next = await pushed(after, to, how)
    expect(next.nodes.map(({ reason }) => reason)).toEqual(to.map(() => null))
    const lines = treeLines(after)
    for (const { dataDir } of to)
      expect(treeLines(realpathSync(join(dataDir, 'site')))).toEqual(lines)
    const [ofOne, ofTwo, ofThree] = next.nodes
    for (const outcome of [ofOne, ofTwo]) {
      // About half of what has moved: where pieces begin is a matter of the bytes.
      expect(outcome?.filledBytes).toBeGreaterThan(512 * KIB)
      expect(outcome?.heldBytes).toBe(20 * 100 * KIB)
    }
    expect(ofThree).toMatchObject({ filledBytes: 0, heldBytes: 0, bytes: next.bytes })
    for (const { dataDir } of to) await keepsNothing(dataDir)
    if (!how.atomic) return
    // What is the newest now was never pushed over this directory.
    rmSync(join(after, 'new'))
    const [last] = (await pushed(after, [one], how)).nodes
    expect(last).toMatchObject({ status: 'complete', receivedBytes: expect.any(Number) })
    expect(last?.receivedBytes).toBeLessThan(64 * KIB)
  })
})
