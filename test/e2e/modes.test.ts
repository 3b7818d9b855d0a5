/** Who may read and change what a node makes in its data directory, also where it has no umask. */
import { lstatSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { push } from '../../src/api/index.js'
import { KIB } from '../../src/base/limits.js'
import { hiddenDir } from '../../src/base/names.js'
import { engines } from './engines.js'
import { until, useWorld } from './push-support.js'

describe.each(engines)('%s engine: what a node makes', (engine) => {
  const world = useWorld(engine)
  let before: number
  beforeEach(() => {
    before = process.umask(0)
  })
  afterEach(() => void process.umask(before))

  /** Path and mode of all that is beneath a directory, and of it. */
  function* modes(path: string, shown = ''): Generator<readonly [string, number]> {
    const found = lstatSync(path)
    if (found.isSymbolicLink()) return
    yield [shown, found.mode & 0o7777]
    if (!found.isDirectory()) return
    for (const name of readdirSync(path)) yield* modes(join(path, name), `${shown}/${name}`)
  }

  it('is changed by nobody else, and what is hidden is read by nobody else', async () => {
    const dataDir = join(world.dir, 'made by it')
    const node = await world.node({ dataDir, keep: 2 })
    const to = [node.address]
    const sent = async (source: string, as: string, more = {}) => {
      const { nodes } = await push(source, { to, as, engine, ...more }).result
      expect(nodes[0]).toMatchObject({ status: 'complete' })
    }
    const tree = join(world.dir, 'tree')
    mkdirSync(join(tree, 'in'), { recursive: true, mode: 0o755 })
    writeFileSync(join(tree, 'in', 'a'), 'a', { mode: 0o644 })
    symlinkSync('in/a', join(tree, 'link'))
    const path = join(world.dir, 'file')
    for (const text of ['one', 'two'.repeat(200_000)]) {
      writeFileSync(path, text, { mode: 0o600 })
      await sent(path, 'x/y/file')
      writeFileSync(join(tree, 'in', 'b'), text, { mode: 0o640 })
      await sent(tree, 'deep/plain', { delete: true })
      await sent(tree, 'deep/whole', { atomic: true })
    }
    await sent(path, 'x/decided', { commit: 'all' })
    // Something unfinished, too.
    const limit = { limitUpBytesPerSecond: 256 * KIB, retries: 0 }
    const slow = push(path, { to, as: 'x/cut', engine, ...limit })
    const landed = () => node.status().transfers[0]?.landedBytes ?? 0
    await until(() => landed() > 0, 'a part of it lands')
    await slow.cancel()
    await node.close()
    const all = [...modes(dataDir)]
    const hidden = all.filter(([name]) => name.startsWith(`/${hiddenDir}/`))
    expect(hidden.length).toBeGreaterThan(12)
    const octal = (found: (typeof all)[number][]) =>
      found.map(([name, mode]) => `${name} ${mode.toString(8)}`)
    expect(octal(all.filter(([, mode]) => (mode & 0o022) !== 0))).toEqual([])
    // Versions of trees are led to by links in DATA: whoever may read the tree goes through.
    const kept = hidden.filter(([name]) => !name.startsWith(`/${hiddenDir}/versions`))
    expect(octal(kept.filter(([, mode]) => (mode & 0o077) !== 0))).toEqual([])
    const own = all.find(([name]) => name === `/${hiddenDir}`)?.[1] ?? 0
    expect((own & 0o066).toString(8)).toBe('0')
  })
})
