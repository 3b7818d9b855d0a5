/** Contents that are read at nodes while they are still written. */
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough, Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { client, digestFile, get, type HeldFile, push, pushStream } from '../../src/api/index.js'
import { engines, usualEngines } from './engines.js'
import { until, useCache, useWorld, type World, type WorldNode } from './push-support.js'

useCache()

/** All states of a node that has heard of the content. */
/** Whoever was only offered it says `accepted`, too. */
const isThere: ReadonlySet<string> = new Set(['receiving', 'verifying'])

type Address = Pick<WorldNode, 'address'>

/** A reader of a stream, and what it has been given. */
class Reader extends Writable {
  readonly #parts: Buffer[] = []
  bytes = 0

  override _write(part: Buffer, _: string, done: () => void): void {
    this.#parts.push(part)
    this.bytes += part.length
    done()
  }

  get all(): Buffer {
    return Buffer.concat(this.#parts)
  }
}

/** A stream that is pushed under this name as it comes. */
async function written(world: World, to: readonly Address[], as = 'stream') {
  const { engine } = world
  const stream = new PassThrough()
  const addresses = to.map(({ address }) => address)
  const options = { to: addresses, as, engine, rejoinMs: 0, silenceMs: 6_000 }
  const transfer = pushStream(stream, options)
  transfer.result.catch(() => {})
  world.defer(() => transfer.cancel())
  // A reader may be there before anything is written, but not before the node has heard of it.
  for await (const { nodes } of transfer)
    if (nodes.filter(({ state }) => isThere.has(state)).length === to.length) break
  return { stream, transfer }
}

async function listed({ address }: Address): Promise<HeldFile[]> {
  const files: HeldFile[] = []
  for await (const file of client.list(address)) files.push(file)
  return files
}

function reading(world: World, from: readonly Address[], name = 'stream', output = new Reader()) {
  const { engine, logger } = world
  const addresses = from.map(({ address }) => address)
  const options = { from: addresses, follow: true, engine, logger, output }
  const fetched = get(name, options)
  fetched.result.catch((error: unknown) => console.error('a reader failed:', error))
  world.defer(() => fetched[Symbol.asyncDispose]())
  return { fetched, output }
}

for (const engine of engines) {
  describe(`a reader of what is still written on the ${engine} engine`, () => {
    const world = useWorld(engine)

    it('is given each byte in order, in small pieces and across blocks, to its end', async () => {
      const [node] = await world.nodes(1)
      const { path, content } = world.file('whole', 700_003)
      const { stream, transfer } = await written(world, [node])
      stream.write(content.subarray(0, 10))
      const { fetched, output } = reading(world, [node])
      let at = 10
      await until(() => output.bytes === at, 'the first bytes are read')
      for (const end of [11, 300, 65_536, 65_537, 131_072, 400_000, 400_001]) {
        stream.write(content.subarray(at, end))
        at = end
        await until(() => output.bytes === end, `${end} bytes are read while it is written`)
        expect(existsSync(join(node.dataDir, 'stream'))).toBe(false)
      }
      stream.end(content.subarray(at))
      const { digest } = await transfer.result
      expect(await fetched.result).toMatchObject({ bytes: content.length, digest, output: null })
      expect(output.all.equals(content)).toBe(true)
      expect(digest).toBe(await digestFile(path, { digest: 'blake3' }))
    })

    it('that begins late has all of it as a file, durable under its name', async () => {
      const [node] = await world.nodes(1)
      const { content } = world.file('whole', 5_000_001)
      const { stream, transfer } = await written(world, [node])
      stream.write(content.subarray(0, 4_000_000))
      const { fetched: first, output: seen } = reading(world, [node])
      await until(() => seen.bytes === 4_000_000, 'the beginning is there')
      const output = join(world.dir, 'copy')
      const late = get('stream', { from: [node.address], follow: true, engine, output })
      for await (const { verifiedBytes, bytes } of late) {
        expect(bytes).toBeNull()
        if (verifiedBytes === 4_000_000) break
      }
      expect(existsSync(output)).toBe(false)
      stream.end(content.subarray(4_000_000))
      const { digest } = await transfer.result
      expect(await late.result).toMatchObject({ bytes: content.length, digest, output })
      expect(readFileSync(output).equals(content)).toBe(true)
      expect((await first.result).bytes).toBe(content.length)
      expect(seen.all.equals(content)).toBe(true)
    })
  })
}

for (const engine of usualEngines) {
  describe(`a reader of what is still written, on the ${engine} engine`, () => {
    const world = useWorld(engine)

    it('may read a content that comes to nothing', async () => {
      const [node] = await world.nodes(1)
      const { stream, transfer } = await written(world, [node])
      const { fetched, output } = reading(world, [node])
      stream.end()
      await transfer.result
      expect(await fetched.result).toMatchObject({ bytes: 0 })
      expect(output.bytes).toBe(0)
    })

    it('gets the rest after the node has published it', async () => {
      const [node] = await world.nodes(1)
      const { content } = world.file('whole', 90_000_000)
      const { stream, transfer } = await written(world, [node])
      stream.write(content.subarray(0, 1_000))
      const held: (() => void)[] = []
      let bytes = 0
      const slow = new Writable({
        highWaterMark: 1,
        write: (part: Buffer, _, done) => {
          bytes += part.length
          if (held.length === 0 && bytes > 1_000) held.push(done)
          else done()
        },
      })
      const { fetched } = reading(world, [node], 'stream', slow as Reader)
      stream.end(content.subarray(1_000))
      const { digest } = await transfer.result
      await until(() => held.length > 0, 'the reader is waited for')
      expect(existsSync(join(node.dataDir, 'stream'))).toBe(true)
      expect(bytes).toBeLessThan(content.length)
      held[0]?.()
      expect(await fetched.result).toMatchObject({ bytes: content.length, digest })
      expect(bytes).toBe(content.length)
    })

    it('goes on with another node where one is killed', async () => {
      const killed = await world.childNode()
      const [other] = await world.nodes(1)
      const { content } = world.file('whole', 3_000_000)
      const { stream, transfer } = await written(world, [killed, other])
      stream.write(content.subarray(0, 1_000_001))
      const { fetched, output } = reading(world, [killed, other])
      await until(() => output.bytes === 1_000_001, 'the beginning is read')
      killed.kill('SIGKILL')
      stream.write(content.subarray(1_000_001, 2_000_000))
      await until(() => output.bytes === 2_000_000, 'the other one brings more')
      stream.end(content.subarray(2_000_000))
      const { from } = await fetched.result
      expect(output.all.equals(content)).toBe(true)
      expect(
        from.map(({ bytes }) => bytes > 0),
        JSON.stringify(from),
      ).toEqual([true, true])
      await transfer.result
    })

    it('fails where the push ends without an end, and goes on from what it has', async () => {
      const [node] = await world.nodes(1)
      const { path, content } = world.file('log', 2_000_000)
      const output = join(world.dir, 'copy')
      const to = [node.address]
      const follow = () => push(path, { to, follow: true, engine, rejoinMs: 0 })
      const first = follow()
      for await (const { nodes } of first)
        if (nodes.some(({ verifiedBytes }) => verifiedBytes === content.length)) break
      const options = { from: [node.address], follow: true, engine, output }
      const fetched = get('log', options)
      for await (const { verifiedBytes } of fetched) if (verifiedBytes === content.length) break
      first.cancel(new Error('enough'))
      await first.result.catch(() => {})
      await expect(fetched.result).rejects.toMatchObject({
        message: expect.stringContaining(`of which ${content.length} bytes are here`),
      })
      expect(existsSync(output)).toBe(false)
      const left = { bytes: content.length, heldBytes: content.length, digest: null }
      const isOver = async () => (await listed(node)).every(({ state }) => state !== 'growing')
      while (!(await isOver())) await new Promise((resolve) => setTimeout(resolve, 20))
      expect(await listed(node)).toMatchObject([{ name: 'log', state: 'partial', ...left }])
      appendFileSync(path, 'more')
      const again = follow()
      for await (const { nodes } of again)
        if (nodes.some(({ verifiedBytes }) => verifiedBytes === content.length + 4)) break
      const rest = get('log', options)
      for await (const { verifiedBytes } of rest) if (verifiedBytes === content.length + 4) break
      again.finish()
      expect(await rest.result).toMatchObject({ foundBytes: content.length })
      expect(readFileSync(output, 'utf8')).toBe(readFileSync(path, 'utf8'))
    })

    it('is told of --follow where it did not ask for that', async () => {
      const [node] = await world.nodes(1)
      const { stream } = await written(world, [node])
      stream.write('some')
      const { output } = reading(world, [node])
      await until(() => output.bytes === 4, 'it is there')
      const sizes = { bytes: 4, heldBytes: 4, digest: null, version: null }
      expect(await listed(node)).toMatchObject([{ name: 'stream', state: 'growing', ...sizes }])
      const verified: unknown[] = []
      for await (const line of client.verify(node.address)) verified.push(line)
      expect(verified).toEqual([])
      const refused = get('stream', { from: [node.address], engine, output: new Reader() })
      await expect(refused.result).rejects.toMatchObject({
        code: 'ERR_FR_NOT_HELD',
        message: expect.stringContaining('is still written; --follow reads it as it comes'),
      })
    })

    it('gets a file that is written no more as any other does', async () => {
      const [node] = await world.nodes(1)
      const { stream, transfer } = await written(world, [node])
      stream.end('all of it')
      await transfer.result
      const { fetched, output } = reading(world, [node])
      expect((await fetched.result).bytes).toBe(9)
      expect(output.all.toString()).toBe('all of it')
    })
  })
}

describe('what follow excludes', () => {
  it.each(['range', 'glob'])('is misuse: %s', (name) => {
    const more = name === 'glob' ? { glob: true } : { range: { first: 0, last: 1 } }
    const options = { from: ['127.0.0.1:1'], follow: true, ...more }
    expect(() => get('log', options)).toThrow(`${name} is not possible with follow`)
  })
})
