/** The cluster's key is changed while pushes run: one node after the other is started again. */
import { describe, expect, it } from 'vitest'
import { freePort } from '../../bench/programs.mjs'
import { fetchStatus, push, startNode } from '../../src/api/index.js'
import { MIB } from '../../src/base/limits.js'
import { usualEngines } from './engines.js'
import { expectCopies, useWorld } from './push-support.js'

const [before, after] = ['b'.repeat(43), 'a'.repeat(43)]
const all = [0, 1, 2]

describe.each(usualEngines)('%s engine: a key that is changed', (engine) => {
  const world = useWorld(engine)

  it('costs no push: nodes first, then clients, then the old key goes', async () => {
    const places = await Promise.all(
      all.map(async () => ({ listen: `127.0.0.1:${await freePort()}`, dataDir: world.dataDir() })),
    )
    const started = (at: number, keys: { key: string; previousKey?: string }) =>
      startNode({ ...(places[at] as { listen: string; dataDir: string }), ...keys, engine })
    const nodes = await Promise.all(all.map((at) => started(at, { key: before })))
    world.defer(() => Promise.all(nodes.map((node) => node.close())))
    const to = places.map(({ listen }) => listen)
    const { path, content } = world.file('data.bin', 24 * MIB)
    let key = before
    let isOver = false
    const failures: unknown[] = []
    const names: string[] = []
    /** One push after the other, each of which is under way when a node goes. */
    const pushing = async (): Promise<void> => {
      for (let count = 0; !isOver; count++) {
        const as = `data-${count}`
        const slow = { limitUpBytesPerSecond: 24 * MIB }
        const done = await push(path, { to, as, key, engine, shape: 'group', ...slow }).result
        for (const { status, reason } of done.nodes)
          if (status !== 'complete') failures.push([as, reason])
        names.push(as)
      }
    }
    const pushes = pushing()
    const rotate = async (keys: { key: string; previousKey?: string }): Promise<void> => {
      for (const at of all) {
        const count = names.length
        await nodes[at]?.close()
        nodes[at] = await started(at, keys)
        while (names.length === count) await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
    await rotate({ key: after, previousKey: before })
    key = after
    // A push with the old key may run: it ends before the old key goes.
    const count = names.length
    while (names.length < count + 2) await new Promise((resolve) => setTimeout(resolve, 20))
    await rotate({ key: after })
    isOver = true
    await pushes
    expect(failures).toEqual([])
    expect(names.length).toBeGreaterThan(6)
    const held = nodes.map((_, at) => ({ dataDir: (places[at] as { dataDir: string }).dataDir }))
    for (const name of names) expectCopies(content, name, held as never)
    await expect(fetchStatus(to[0] as string, { key: before })).rejects.toMatchObject({
      code: 'ERR_FR_AUTH',
    })
  })
})
