/** A file fetched from the nodes that hold it, by the library and real nodes. */
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough, Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { client, type GetOptions, type GetResult, get } from '../../src/api/index.js'
import type { DigestAlgorithm } from '../../src/base/digests.js'
import { usualEngines } from './engines.js'
import { type Authored, authored, flowDoor, holdingBack, plantHeld } from './get-support.js'
import { until, useWorld, type World, type WorldNode } from './push-support.js'

const MIB = 1024 * 1024
const name = 'a/b.bin'

interface Held {
  readonly content: Buffer
  readonly made: Authored
  readonly nodes: WorldNode[]
  readonly from: string[]
}

/** Nodes that hold the same file. */
async function holders(
  world: World,
  bytes: number,
  count: number,
  algorithm?: DigestAlgorithm,
): Promise<Held> {
  const { path, content } = world.file('source', bytes)
  const made = await authored(path, content, algorithm)
  const nodes: WorldNode[] = []
  for (let i = 0; i < count; i++) {
    const dataDir = world.dataDir()
    await plantHeld(dataDir, name, made)
    nodes.push(Object.assign(await world.node({ dataDir }), { dataDir }))
  }
  return { content, made, nodes, from: nodes.map(({ address }) => address) }
}

/** What is beside the output. */
const hidden = (world: World): string[] =>
  readdirSync(world.dir).filter((entry) => entry.startsWith('.'))

describe.each(usualEngines)('with the %s engine', (engine) => {
  const world = useWorld(engine)
  const at = (file: string): string => join(world.dir, file)

  function fetched(from: readonly string[], options: Partial<GetOptions> = {}): Promise<GetResult> {
    const output = at('out')
    return get(name, { from, output, engine, logger: world.logger, ...options }).result
  }

  function collected(
    from: readonly string[],
    options: Partial<GetOptions> = {},
  ): { bytes: () => Buffer; result: Promise<GetResult> } {
    const output = new PassThrough()
    const parts: Buffer[] = []
    output.on('data', (part: Buffer) => parts.push(part))
    return { bytes: () => Buffer.concat(parts), result: fetched(from, { output, ...options }) }
  }

  it.each(['xxh64', 'blake3', 'sha256'] as const)(
    'a file comes from its holder, %s',
    async (of) => {
      const { content, from, made, nodes } = await holders(world, 20 * MIB + 7, 1, of)
      const result = await fetched(from)
      expect(readFileSync(at('out')).equals(content)).toBe(true)
      const [holder] = from
      expect(result).toEqual({
        event: 'result',
        name,
        output: at('out'),
        bytes: content.length,
        foundBytes: 0,
        seconds: expect.any(Number),
        from: [{ holder, bytes: content.length, reason: null }],
        digest: made.fileDigest,
      })
      const stat = statSync(at('out'))
      expect(stat.mode & 0o777).toBe(0o640)
      expect(stat.mtimeMs).toBeCloseTo(statSync(join(nodes[0]?.dataDir ?? '', name)).mtimeMs, -1)
      expect(hidden(world)).toEqual([])
      await until(() => nodes[0]?.status().counters['openFiles'] === 0, 'the node closes the file')
    },
  )

  it.each([0, 1, 65_536, 100_000])('a file of %d bytes', async (bytes) => {
    const { content, from } = await holders(world, bytes, 2, 'blake3')
    const result = await fetched(from)
    expect(readFileSync(at('out')).equals(content)).toBe(true)
    expect(result.bytes).toBe(bytes)
  })

  it('all holders bring a part of it', async () => {
    const { content, from } = await holders(world, 24 * MIB, 3)
    const doors = await Promise.all(from.map((address) => holdingBack(world, address, MIB)))
    const getting = fetched(doors.map(({ address }) => address))
    await until(() => doors.every((door) => door.isHolding()), 'each is asked for something')
    for (const door of doors) door.open()
    const result = await getting
    expect(readFileSync(at('out')).equals(content)).toBe(true)
    const brought = result.from.map(({ bytes }) => bytes)
    expect(brought.reduce((sum, bytes) => sum + bytes)).toBe(content.length)
    for (const bytes of brought) expect(bytes).toBeGreaterThan(0)
  })

  it('has more connections to a holder that has places for them', async () => {
    const { path, content } = world.file('source', 8 * MIB)
    const made = await authored(path, content)
    const limitUpBytesPerSecond = 256 * 1024
    const node = async (maxFeeds: number) => {
      const dataDir = world.dataDir()
      await plantHeld(dataDir, name, made)
      return world.node({ dataDir, limitUpBytesPerSecond, maxFeeds })
    }
    const [wide, narrow] = [await node(32), await node(1)]
    const { address, seen } = await flowDoor(world, wide.address)
    const getting = fetched([address, narrow.address], { flows: 4 })
    const open = () => [wide, narrow].map((one) => one.status().counters['openFeeds'])
    await until(() => open().join() === '4,1', 'four connections and one')
    await until(() => seen.joined === 3, 'all have brought bytes')
    for (const node of [wide, narrow]) await client.limit(node.address, { upBytesPerSecond: null })
    const { from } = await getting
    expect(readFileSync(at('out')).equals(content)).toBe(true)
    expect(from.map(({ reason }) => reason)).toEqual([null, null])
    // None has broken and was opened again.
    expect(seen).toEqual({ first: 1, further: 3, joined: 3 })
    await until(() => open().join() === '0,0', 'all are closed')
  })

  it('goes on when a holder dies in the middle', async () => {
    const { content, made, from } = await holders(world, 32 * MIB, 1)
    const dying = await world.childNode({}, (dataDir) => plantHeld(dataDir, name, made))
    const door = await holdingBack(world, dying.address, 64 * 1024)
    const getting = fetched([door.address, ...from])
    await until(() => door.isHolding() || existsSync(at('out')), 'the door holds bytes back')
    dying.kill('SIGKILL')
    const result = await getting
    expect(readFileSync(at('out')).equals(content)).toBe(true)
    expect(result.from[1]?.bytes).toBe(content.length - (result.from[0]?.bytes ?? 0))
  })

  it('says who failed and why when no holder is left', async () => {
    const { from, nodes } = await holders(world, MIB, 2)
    writeFileSync(join(nodes[0]?.dataDir ?? '', name), Buffer.alloc(MIB))
    await client.remove(from[1] ?? '', name)
    await expect(fetched(from)).rejects.toMatchObject({
      code: 'ERR_FR_NOT_HELD',
      message: expect.stringContaining(`${from[0]}: somebody else changed or removed`),
    })
    expect(existsSync(at('out'))).toBe(false)
    expect(hidden(world)).toEqual([])
  })

  it('takes a file that was changed behind the back of its node from others', async () => {
    const { content, from, nodes } = await holders(world, 8 * MIB, 2)
    writeFileSync(join(nodes[0]?.dataDir ?? '', name), Buffer.alloc(8 * MIB))
    const result = await fetched(from)
    expect(readFileSync(at('out')).equals(content)).toBe(true)
    expect(result.from[0]).toMatchObject({
      bytes: 0,
      reason: expect.stringMatching(/^ERR_FR_NOT_HELD/),
    })
  })

  it('leaves holders of other content alone', async () => {
    const { content, made } = await holders(world, MIB, 0)
    const other = await authored(
      world.file('other', MIB + 1).path,
      world.file('other', MIB + 1).content,
    )
    const nodes: WorldNode[] = []
    for (const held of [made, other]) {
      const dataDir = world.dataDir()
      await plantHeld(dataDir, name, held)
      nodes.push(Object.assign(await world.node({ dataDir }), { dataDir }))
    }
    const result = await fetched(nodes.map(({ address }) => address))
    expect(readFileSync(at('out')).equals(content)).toBe(true)
    expect(result.from[1]).toMatchObject({
      bytes: 0,
      reason: expect.stringMatching(/other content/),
    })
  })

  it.each([
    [0, 0],
    [65_535, 65_536],
    [MIB, 3 * MIB - 1],
    [20 * MIB, 20 * MIB + 6],
  ])('only the bytes from %d to %d', async (first, last) => {
    const { content, from } = await holders(world, 20 * MIB + 7, 2)
    const result = await fetched(from, { range: { first, last } })
    const wanted = content.subarray(first, last + 1)
    expect(readFileSync(at('out')).equals(wanted)).toBe(true)
    expect(result.bytes).toBe(wanted.length)
    const brought = result.from.reduce((sum, { bytes }) => sum + bytes, 0)
    expect(brought).toBeLessThanOrEqual(wanted.length + 2 * 65_536)
    const { bytes, result: again } = collected(from, { range: { first, last } })
    await again
    expect(bytes().equals(wanted)).toBe(true)
  })

  it('refuses a range beyond the end', async () => {
    const { from } = await holders(world, 1_000, 1)
    const beyond = fetched(from, { range: { first: 0, last: 1_000 } })
    await expect(beyond).rejects.toMatchObject({ code: 'ERR_FR_RANGE' })
    expect(hidden(world)).toEqual([])
  })

  it('gives a stream the bytes in order', async () => {
    const { content, from } = await holders(world, 96 * MIB, 2)
    const { bytes, result } = collected(from)
    expect((await result).output).toBeNull()
    expect(bytes().equals(content)).toBe(true)
  })

  it('waits for a reader that takes nothing', async () => {
    const { content, from } = await holders(world, 96 * MIB, 1)
    let taken = 0
    let goOn = (): void => {}
    const stopped = new Promise<void>((resolve) => {
      goOn = resolve
    })
    const output = new Writable({
      write: (part: Buffer, _, done) => {
        taken += part.length
        void stopped.then(() => done())
      },
    })
    const getting = get(name, { from, output, engine })
    // What is fetched ahead has a bound.
    for await (const { verifiedBytes } of getting) if (verifiedBytes >= 64 * MIB) break
    expect(taken).toBeLessThan(16 * MIB)
    goOn()
    await getting.result
    expect(taken).toBe(content.length)
  })

  it('replaces an output only when told to', async () => {
    const { content, from } = await holders(world, MIB, 1)
    writeFileSync(at('out'), 'before')
    await expect(fetched(from)).rejects.toMatchObject({ code: 'ERR_FR_EXISTS' })
    expect(readFileSync(at('out'), 'utf8')).toBe('before')
    await fetched(from, { force: true })
    expect(readFileSync(at('out')).equals(content)).toBe(true)
  })

  it('does not replace an output that has come meanwhile', async () => {
    const { from } = await holders(world, 4 * MIB, 1)
    const door = await holdingBack(world, from[0] ?? '', 64 * 1024)
    const getting = fetched([door.address])
    await until(() => door.isHolding(), 'the door holds bytes back')
    writeFileSync(at('out'), 'before')
    door.open()
    await expect(getting).rejects.toMatchObject({ code: 'ERR_FR_EXISTS' })
    expect(readFileSync(at('out'), 'utf8')).toBe('before')
  })

  it('goes on with what a get that was broken off has left', async () => {
    const { content, from } = await holders(world, 32 * MIB, 1)
    const door = await holdingBack(world, from[0] ?? '', 16 * MIB)
    const getting = get(name, { from: [door.address], output: at('out'), engine })
    getting.result.catch(() => {})
    await until(() => door.isHolding(), 'the door holds bytes back')
    for await (const { verifiedBytes } of getting) if (verifiedBytes >= 8 * MIB) break
    getting.cancel('enough')
    await expect(getting.result).rejects.toBe('enough')
    expect(hidden(world)).toEqual(['.out.fr-get'])
    const {
      foundBytes,
      from: [brought],
    } = await fetched(from)
    expect(foundBytes).toBeGreaterThanOrEqual(8 * MIB)
    expect(brought?.bytes).toBe(content.length - foundBytes)
    expect(readFileSync(at('out')).equals(content)).toBe(true)
    expect(hidden(world)).toEqual([])
  })

  it('is one at a time for one output', async () => {
    const { content, from } = await holders(world, 4 * MIB, 1)
    const door = await holdingBack(world, from[0] ?? '', 64 * 1024)
    const getting = fetched([door.address])
    await until(() => door.isHolding(), 'the door holds bytes back')
    await expect(fetched(from)).rejects.toMatchObject({ code: 'ERR_FR_BUSY' })
    door.open()
    await getting
    expect(readFileSync(at('out')).equals(content)).toBe(true)
  })

  it('waits for a place at a node that serves as many as it may', async () => {
    const { made } = await holders(world, 8 * MIB, 0)
    const dataDir = world.dataDir()
    await plantHeld(dataDir, name, made)
    const node = await world.node({ dataDir, maxServes: 1 })
    const door = await holdingBack(world, node.address, 64 * 1024)
    const first = fetched([door.address])
    await until(() => door.isHolding(), 'the door holds bytes back')
    const second = get(name, { from: [node.address], output: at('second'), engine })
    for await (const {
      holders: [holder],
    } of second)
      if (holder?.reason?.startsWith('ERR_FR_LIMIT')) break
    door.open()
    await Promise.all([first, second.result])
    expect(readFileSync(at('second')).equals(made.content)).toBe(true)
  })

  it('a node may serve nobody', async () => {
    const { made } = await holders(world, 1, 0)
    const dataDir = world.dataDir()
    await plantHeld(dataDir, name, made)
    const { address } = await world.node({ dataDir, maxServes: 0 })
    const getting = fetched([address], { timeoutMs: 2_000 })
    await expect(getting).rejects.toMatchObject({
      code: 'ERR_FR_TIMEOUT',
      message: expect.stringContaining('serves 0 clients'),
    })
  })

  it('needs the key', async () => {
    const node = await world.node({ key: 'k'.repeat(40) })
    const getting = fetched([node.address], { key: 'x'.repeat(40) })
    await expect(getting).rejects.toMatchObject({ code: 'ERR_FR_AUTH' })
  })
})
