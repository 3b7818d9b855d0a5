/** Versions of files and file sets between real processes, which may be killed. */
import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { until } from '../../bench/running.mjs'
import { copyDigest, MIB, type ServingNode, sha256, World } from './cli-world.js'
import { holdingBack } from './get-support.js'

describe('versions of files at nodes', () => {
  let world: World
  beforeEach(() => {
    world = new World()
  })
  afterEach(() => world.close())

  const contents = new Map<string, Buffer>()

  async function push(to: string, ...more: string[]): Promise<string> {
    const content = world.file('source', 300_000)
    const run = ['push', 'source', '--to', to, '--as', 'm/model', '--json', ...more]
    const { status, lines } = await world.run(run)
    expect(status).toBe(0)
    const digest = String(lines.at(-1)?.['nodes']?.[0]?.digest).split(':')[1] as string
    contents.set(digest, content)
    return digest
  }

  /** Digests at a node, the present one first. */
  async function versions(node: ServingNode): Promise<string[]> {
    const { lines } = await world.run(['versions', node.address, 'm/model', '--json'])
    expect(lines.map(({ back, state }) => `${back} ${state}`)).toEqual(
      lines.map((_, back) => `${back} held`),
    )
    return lines.map(({ digest }) => String(digest).split(':')[1] as string)
  }

  const shown = (node: ServingNode): string | undefined => {
    const is = copyDigest(node, 'm/model')
    return [...contents].find(([, content]) => sha256(content) === is)?.[0]
  }

  it('are kept, gone back to, fetched, copied, verified and removed', async () => {
    const one = await world.node('one', ['--keep', '2'])
    const two = await world.node('two')
    const both = `${one.address},${two.address}`
    const [a, b, c, d] = [await push(both), await push(both), await push(both), await push(both)]
    expect(await versions(one)).toEqual([d, c, b])
    expect(await versions(two)).toEqual([d])
    const table = await world.run(['versions', both])
    expect(table.stdout.split('\n').filter((line) => line.includes('m/model'))).toHaveLength(3)
    // One node has it, and the other one says by name that it does not.
    const back = await world.run(['rollback', both, `m/model@${b.slice(0, 10)}`, '--json'])
    expect(back.status).toBe(3)
    const errors = back.lines.filter(({ event }) => event === 'error')
    expect(errors).toMatchObject([{ node: two.address, code: 'ERR_FR_NOT_HELD' }])
    expect([shown(one), shown(two)]).toEqual([b, d])
    expect(await versions(one)).toEqual([b, d, c])
    expect((await world.run(['rollback', one.address, 'm/model'])).status).toBe(0)
    expect(await versions(one)).toEqual([d, b, c])
    const get = ['get', `m/model@${c.slice(0, 6)}`, '--from', both, '-o', 'got']
    expect((await world.run(get)).status).toBe(0)
    expect(sha256(readFileSync(join(world.directory, 'got')))).toBe(
      sha256(contents.get(c) as Buffer),
    )
    const copy = ['copy', 'm/model@-1', '--from', one.address, '--to', two.address, '--quiet']
    expect((await world.run(copy)).status).toBe(0)
    expect(shown(two)).toBe(b)
    const good = await world.run(['verify', one.address, 'm/model@-2', '--json'])
    expect(good.lines.at(-1)).toMatchObject({ status: 'good', digest: expect.stringContaining(c) })
    expect((await world.run(['rm', one.address, 'm/model@-1'])).status).toBe(0)
    expect(await versions(one)).toEqual([d, c])
    const none = await world.run(['get', `m/model@${a.slice(0, 12)}`, '--from', both, '-o', 'x'])
    expect(none).toMatchObject({ status: 1, stderr: expect.stringContaining('ERR_FR_NOT_HELD') })

    // What two authors pushed under one name are versions of it alike.
    const elsewhere = { XDG_CONFIG_HOME: join(world.directory, 'other') }
    world.file('source', 300_000)
    const theirs = ['push', 'source', '--to', one.address, '--as', 'm/model', '--quiet']
    expect((await world.run(theirs, elsewhere)).status).toBe(0)
    const { lines } = await world.run(['versions', one.address, '--json'])
    expect(lines.slice(1).map(({ digest }) => String(digest).split(':')[1])).toEqual([d, c])
    expect(lines[0]?.['author']).not.toBe(lines[1]?.['author'])
    expect(lines.map(({ diskBytes }) => diskBytes)).toEqual([300_000, 300_000, 300_000])

    // A set of what one node held once: an earlier version there.
    const set = join(world.directory, 'set')
    const line = (digest: string) =>
      JSON.stringify({ name: 'm/model', digest: `blake3:${digest}`, bytes: 300_000 })
    writeFileSync(set, `${line(c)}\n`)
    mkdirSync(join(world.directory, 'out/m'), { recursive: true })
    writeFileSync(join(world.directory, 'out/m/model'), 'another')
    const fetch = ['get', '--set', 'set', '--from', one.address, '-o', 'out', '--json']
    for (const fetchedFiles of [1, 0])
      expect((await world.run(fetch)).lines.at(-1)).toMatchObject({ fetchedFiles, failedFiles: 0 })
    const model = readFileSync(join(world.directory, 'out/m/model'))
    expect(sha256(model)).toBe(sha256(contents.get(c) as Buffer))
    const whole = { name: 'gone', digest: `blake3:${a}`, bytes: 300_000 }
    writeFileSync(set, `${line(c)}\n${JSON.stringify(whole)}\n`)
    const partly = await world.run(fetch)
    expect(partly).toMatchObject({
      status: 3,
      lines: [{ status: 'present' }, { name: 'gone' }, {}],
    })

    expect((await world.run(['rm', one.address, 'm/model'])).status).toBe(0)
    expect(existsSync(join(one.data, 'm'))).toBe(false)
    expect((await world.run(['versions', one.address])).stdout).toBe('')
  })

  it('are whole, and one of them has the name, whenever a node is killed', async () => {
    let node = await world.node('one', ['--keep', '9'])
    const first = await push(node.address)
    for (const [at, waitMs] of [350, 450, 600].entries()) {
      const content = world.file('next', MIB)
      const args = ['push', 'next', '--to', node.address, '--as', 'm/model', '--retries', '0']
      const ends = ['--rejoin', '0s', '--connect-timeout', '1s', '--silence', '6s']
      const running = world.run([...args, ...ends, '--json'])
      // Somewhere around its publication, or in the way back to the version before.
      if (at % 2 === 1) void world.run(['rollback', node.address, 'm/model'])
      await pause(waitMs)
      node.kill('SIGKILL')
      await Promise.all([running, node.ended])
      contents.set(`pushed ${at}`, content)
      node = await world.node('one', ['--keep', '9'])
      const is = shown(node)
      expect(is).toBeDefined()
      const all = await versions(node)
      expect(new Set(all).size).toBe(all.length)
      expect(all).toContain(first)
      const verified = await world.run(['verify', node.address, '--json'])
      expect(verified.status).toBe(0)
    }
    const last = await push(node.address)
    rmSync(join(node.data, 'm/model'))
    const back = (version: string) => world.run(['rollback', node.address, `m/model@${version}`])
    expect((await back(last.slice(0, 8))).status).toBe(1)
    expect((await back(first.slice(0, 8))).status).toBe(0)
    expect(shown(node)).toBe(first)
  })

  it('are got whole where they are removed meanwhile', async () => {
    const one = await world.node('one', ['--keep', '2'])
    const contents = [world.file('source', 4 * MIB)]
    const run = ['push', 'source', '--to', one.address, '--as', 'm', '--quiet']
    expect((await world.run(run)).status).toBe(0)
    contents.push(world.file('source', MIB))
    expect((await world.run(run)).status).toBe(0)
    const closing: (() => unknown)[] = []
    const defer = (close: () => unknown): void => void closing.push(close)
    const door = await holdingBack({ defer }, one.address, MIB)
    const getting = world.run(['get', 'm@-1', '--from', door.address, '-o', 'got'])
    await until(() => door.isHolding(), 'the first half has come')
    expect((await world.run(['rm', one.address, 'm@-1'])).status).toBe(0)
    door.open()
    expect((await getting).status).toBe(0)
    expect(readFileSync(join(world.directory, 'got')).equals(contents[0] as Buffer)).toBe(true)
    expect((await world.run(['versions', one.address])).stdout).toBe('')
    for (const close of closing) await close()
    writeFileSync(join(world.directory, 'nodes'), `${one.address} # the only one\n`)
    const none = await world.run(['rollback', '--nodes', 'nodes', 'm', '--json'])
    expect(none).toMatchObject({ status: 1, lines: [{ code: 'ERR_FR_NOT_HELD' }] })
  })

  /** Fetches, copies and verifies `site`, whose versions are called so and hold pages 3, 1, 2. */
  async function earlierOnes(one: ServingNode, third: string, second: string): Promise<void> {
    const two = await world.node('two')
    const from = ['--from', one.address]
    const of = (digest: string): string => `site@${digest.slice('tree:'.length, 20)}`
    for (const [name, fill] of [
      [of(second), 2],
      ['site@-1', 1],
      [of(third), 3],
    ] as const) {
      const to = join(world.directory, `got-${fill}`)
      expect((await world.run(['get', name, ...from, '-o', to])).status).toBe(0)
      expect(readFileSync(join(to, 'page'), 'utf8')).toBe(`page ${fill}`)
      expect(readFileSync(join(to, 'large')).equals(Buffer.alloc(5 * MIB, fill))).toBe(true)
    }
    const page = await world.run(['get', 'site@-2/page', ...from, '-o', '-'])
    expect(page).toMatchObject({ status: 0, stdout: 'page 2' })
    const none = await world.run(['get', 'site@-3', ...from, '-o', 'none', '--json'])
    expect(none.lines.at(-1)).toMatchObject({ code: 'ERR_FR_NOT_HELD' })
    const copied = await world.run(['copy', 'site@-2', ...from, '--to', two.address, '--quiet'])
    expect(copied.status).toBe(0)
    expect(readFileSync(join(two.data, 'site/page'), 'utf8')).toBe('page 2')
    expect((await world.run(['verify', one.address, 'site@-2'])).status).toBe(0)
  }

  it('of a tree that changes all at once are listed and gone back to', async () => {
    const one = await world.node('one', ['--keep', '2'])
    const tree = join(world.directory, 'site')
    mkdirSync(tree)
    for (const fill of [1, 2, 3]) {
      writeFileSync(join(tree, 'page'), `page ${fill}`)
      writeFileSync(join(tree, 'large'), Buffer.alloc(5 * MIB, fill))
      const run = ['push', 'site', '--to', one.address, '--atomic', '--quiet']
      expect((await world.run(run)).status).toBe(0)
    }
    const bytes = 5 * MIB + 'page 1'.length
    const listed = async (): Promise<string[]> => {
      const { lines } = await world.run(['versions', one.address, '--json'])
      for (const [back, line] of lines.entries())
        expect(line).toMatchObject({
          ...{ name: 'site', kind: 'tree', back, isPresent: back === 0, state: 'held' },
          ...{ bytes, diskBytes: bytes, author: null, contentId: null },
        })
      return lines.map(({ digest }) => String(digest))
    }
    const [third, second, first] = (await listed()) as [string, string, string]
    const version = first.slice('tree:'.length, 'tree:'.length + 12)
    const back = await world.run(['rollback', one.address, `site@${version}`, '--json'])
    expect(back).toMatchObject({ status: 0, lines: [{ digest: first, before: third, bytes }] })
    expect(await listed()).toEqual([first, third, second])
    // Its large file has its record again, and is served.
    const got = await world.run(['get', 'site', '--from', one.address, '-o', 'got'])
    expect(got.status).toBe(0)
    expect(readFileSync(join(world.directory, 'got/page'), 'utf8')).toBe('page 1')
    const large = readFileSync(join(world.directory, 'got/large'))
    expect(large.equals(Buffer.alloc(5 * MIB, 1))).toBe(true)
    expect((await world.run(['verify', one.address, 'site', '--json'])).status).toBe(0)
    expect((await world.run(['rollback', one.address, 'site'])).status).toBe(0)
    expect(readFileSync(join(one.data, 'site/page'), 'utf8')).toBe('page 3')
    await earlierOnes(one, third, second)
    expect((await world.run(['rollback', one.address, 'site@-3'])).status).toBe(1)
    expect((await world.run(['rm', one.address, `site@${version}`])).status).toBe(0)
    expect(await listed()).toEqual([third, second])
    // Somebody edits what no name leads to.
    writeFileSync(join(realpathSync(join(one.data, 'site')), '../2/page'), 'page 0')
    const verified = await world.run(['verify', one.address, 'site@-1', '--json'])
    expect(verified.status).toBe(1)
    expect(verified.lines[0]?.['failures']).toMatchObject([{ name: 'site@-1/page' }])
    const refused = await world.run(['rollback', one.address, 'site@-1', '--json'])
    expect(refused.lines).toMatchObject([{ code: 'ERR_FR_DIGEST' }])
    expect((await world.run(['rm', one.address, 'site'])).status).toBe(0)
    expect(existsSync(join(one.data, 'site'))).toBe(false)
    expect((await world.run(['versions', one.address, '**'])).stdout).toBe('')
  })
})
