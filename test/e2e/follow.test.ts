/** Contents that are pushed while they are still written. */
import {
  appendFileSync,
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { digestFile, type FrError, push, pushStream, type Transfer } from '../../src/api/index.js'
import { engines, usualEngines } from './engines.js'
import { until, useCache, useWorld, type WorldNode } from './push-support.js'

const cache = useCache()

/** What has landed at a node of a name that it has not published; empty: nothing. */
function partialOf({ dataDir }: { readonly dataDir: string }): Buffer {
  const partials = join(dataDir, '.fastreplica', 'partials')
  const [name] = readdirSync(partials).filter((id) => !id.endsWith('.scratch'))
  return name === undefined ? Buffer.of() : readFileSync(join(partials, name))
}

/** Resolves once every node has verified so many bytes, and published nothing. */
async function verified(transfer: Transfer, bytes: number): Promise<void> {
  for await (const { nodes } of transfer)
    if (nodes.length > 0 && nodes.every((node) => node.verifiedBytes >= bytes)) return
  throw new Error('the push ended')
}

const copyOf = ({ dataDir }: { readonly dataDir: string }, name: string): string | null => {
  const path = join(dataDir, name)
  return existsSync(path) ? readFileSync(path, 'hex') : null
}

for (const engine of engines) {
  describe(`a file that is followed on the ${engine} engine`, () => {
    const world = useWorld(engine)

    it('arrives at all nodes while it is written, and is published once it is final', async () => {
      const nodes = await world.nodes(3)
      const { content } = world.file('whole', 1_000_003)
      const path = join(world.dir, 'log')
      writeFileSync(path, content.subarray(0, 10))
      const transfer = push(path, { to: nodes.map(({ address }) => address), follow: true, engine })
      for (const end of [10, 50_000, 300_000, 300_001, 1_000_003]) {
        appendFileSync(path, content.subarray(statSync(path).size, end))
        await verified(transfer, end)
        for (const node of nodes) {
          expect(partialOf(node).equals(content.subarray(0, end))).toBe(true)
          expect(copyOf(node, 'log')).toBeNull()
        }
      }
      transfer.finish()
      const result = await transfer.result
      expect(result).toMatchObject({ bytes: content.length, digest: await digestOf(path) })
      expect(result.nodes.map(({ status }) => status)).toEqual(['complete', 'complete', 'complete'])
      for (const node of nodes) expect(copyOf(node, 'log')).toBe(content.toString('hex'))
    })
  })
}

const digestOf = (path: string): Promise<string> => digestFile(path, { digest: 'blake3' })

for (const engine of usualEngines) {
  describe(`what is still written on the ${engine} engine`, () => {
    const world = useWorld(engine)

    async function following(bytes = 200_000, to?: readonly WorldNode[]) {
      const nodes = to ?? (await world.nodes(2))
      const { path, content } = world.file('log', bytes)
      const addresses = nodes.map(({ address }) => address)
      const transfer = push(path, { to: addresses, follow: true, engine, rejoinMs: 0 })
      await verified(transfer, bytes)
      return { nodes, path, content, transfer }
    }

    it.each([0, 1, 65_536, 131_072])('may have %i bytes in the end', async (bytes) => {
      const [node] = await world.nodes(1)
      const { path, content } = world.file('log', bytes)
      const transfer = push(path, { to: [node.address], follow: true, finalAfterMs: 100, engine })
      expect(await transfer.result).toMatchObject({ bytes, digest: await digestOf(path) })
      expect(copyOf(node, 'log')).toBe(content.toString('hex'))
    })

    it.each([
      ['truncated', (path: string) => truncateSync(path, 100_000), 'was truncated'],
      [
        'replaced',
        (path: string) => {
          writeFileSync(`${path}.new`, readFileSync(path))
          renameSync(`${path}.new`, path)
        },
        'was replaced by another file',
      ],
      ['rotated', (path: string) => renameSync(path, `${path}.1`), 'was removed or renamed'],
      ['written over at its end', (path: string) => writeAt(path, 199_990), 'changed after it was'],
    ])('is no torn copy anywhere when it is %s', async (_how, change, words) => {
      const { nodes, path, transfer } = await following()
      change(path)
      const error = await transfer.result.then(
        () => null,
        (failure: FrError) => failure,
      )
      expect(error?.code).toBe('ERR_FR_SOURCE_CHANGED')
      expect(error?.message).toContain(words)
      for (const node of nodes) expect(copyOf(node, 'log')).toBeNull()
    })

    it('is no torn copy when it was written over in front, which its end finds', async () => {
      const { nodes, path, transfer } = await following()
      writeAt(path, 5)
      transfer.finish()
      await expect(transfer.result).rejects.toMatchObject({ code: 'ERR_FR_SOURCE_CHANGED' })
      for (const node of nodes) expect(copyOf(node, 'log')).toBeNull()
    })

    it('goes on under the same content when it was cancelled before its end', async () => {
      const { nodes, path, content, transfer } = await following(2_000_000)
      transfer.cancel(new Error('enough'))
      await expect(transfer.result).rejects.toThrow('enough')
      for (const node of nodes) {
        expect(copyOf(node, 'log')).toBeNull()
        await until(() => partialOf(node).length === content.length, 'the partial is kept')
        await until(() => node.status().transfers.length === 0, 'it has ended')
      }
      appendFileSync(path, 'more')
      const to = nodes.map(({ address }) => address)
      const again = push(path, { to, follow: true, engine })
      await verified(again, content.length + 4)
      again.finish()
      const result = await again.result
      const all = Buffer.concat([content, Buffer.from('more')])
      for (const node of nodes) expect(copyOf(node, 'log')).toBe(all.toString('hex'))
      expect(result.digest).toBe(await digestOf(path))
      // Each has what it had verified, and is sent the rest.
      for (const { heldBytes, receivedBytes } of result.nodes) {
        expect(heldBytes).toBeGreaterThanOrEqual(content.length - 65_536)
        expect(receivedBytes).toBeLessThan(200_000)
      }
    })

    it('is another content when it was changed between two pushes', async () => {
      const { nodes, path, transfer } = await following()
      transfer.cancel(new Error('enough'))
      await transfer.result.catch(() => {})
      const { content } = world.file('log', 300_000)
      const to = nodes.map(({ address }) => address)
      const again = push(path, { to, follow: true, finalAfterMs: 100, engine })
      expect((await again.result).digest).toBe(await digestOf(path))
      for (const node of nodes) expect(copyOf(node, 'log')).toBe(content.toString('hex'))
    })

    it('may be a stream, which is sent as it comes and final at its end', async () => {
      const nodes = await world.nodes(2)
      const stream = new PassThrough()
      const to = nodes.map(({ address }) => address)
      const transfer = pushStream(stream, { to, as: 'stream', engine })
      const { content } = world.file('whole', 700_000)
      stream.write(content.subarray(0, 300_000))
      await verified(transfer, 300_000)
      stream.end(content.subarray(300_000))
      expect((await transfer.result).bytes).toBe(content.length)
      const told = world.log.filter(({ event }) => event === 'published')
      expect(told.map(({ fields }) => fields['bytes'])).toEqual([content.length, content.length])
      for (const node of nodes) expect(copyOf(node, 'stream')).toBe(content.toString('hex'))
    })

    it('is not sealed where its stream fails, and goes on with the same, no other', async () => {
      const nodes = await world.nodes(2)
      const to = nodes.map(({ address }) => address)
      const { content } = world.file('whole', 400_000)
      const begun = content.subarray(0, 300_000)
      const broken = async (): Promise<void> => {
        const stream = new PassThrough()
        const transfer = pushStream(stream, { to, as: 'stream', engine })
        stream.write(begun)
        await verified(transfer, begun.length)
        stream.destroy(new Error('the producer broke'))
        const failure = {
          code: 'ERR_FR_SOURCE',
          message: expect.stringContaining('producer broke'),
        }
        await expect(transfer.result).rejects.toMatchObject(failure)
        for (const node of nodes)
          await until(() => partialOf(node).length === begun.length, 'the partial is kept')
      }
      const again = async (brought: Buffer) => {
        const stream = new PassThrough()
        const { result } = pushStream(stream, { to, as: 'stream', engine })
        // It may end before anything is known of it.
        stream.write(brought.subarray(0, 100_000))
        stream.end(brought.subarray(100_000))
        const outcomes = (await result).nodes
        for (const node of nodes) expect(copyOf(node, 'stream')).toBe(brought.toString('hex'))
        return outcomes.map(({ heldBytes }) => heldBytes)
      }
      await broken()
      for (const node of nodes) expect(copyOf(node, 'stream')).toBeNull()
      for (const bytes of await again(content)) expect(bytes).toBeGreaterThan(begun.length - 65_537)
      await broken()
      const other = Buffer.from(content)
      other[150_000] = (content[150_000] as number) ^ 1
      expect(await again(other)).toEqual([0, 0])
      // What ends sooner is not what was begun.
      await broken()
      expect(await again(begun.subarray(0, 200_000))).toEqual([0, 0])
    })

    it('comes to a node that is added later', async () => {
      const [first, second, late] = await world.nodes(3)
      const { path, content } = world.file('log', 3_000_000)
      const to = [first.address, second.address]
      const transfer = push(path, { to, follow: true, engine })
      await verified(transfer, content.length)
      await transfer.add(late.address)
      appendFileSync(path, 'more')
      await verified(transfer, content.length + 4)
      transfer.finish()
      const { nodes } = await transfer.result
      expect(nodes.map(({ status }) => status)).toEqual(['complete', 'complete', 'complete'])
      const all = Buffer.concat([content, Buffer.from('more')])
      for (const node of [first, second, late])
        expect(copyOf(node, 'log')).toBe(all.toString('hex'))
    })
  })
}

function writeAt(path: string, offset: number): void {
  const fd = openSync(path, 'r+')
  writeSync(fd, Buffer.from('?!?'), 0, 3, offset)
  closeSync(fd)
}

describe('a stream of which nobody said whether it is followed', () => {
  const world = useWorld('native')
  const settled = { follow: 'auto', digest: 'blake3' } as const

  it('comes to the nodes while it is written where it is long', async () => {
    const [node] = await world.nodes(1)
    const { content } = world.file('whole', 2_000_000)
    const stream = new PassThrough()
    const transfer = push(stream, { to: [node.address], as: 'stream', ...settled })
    stream.write(content.subarray(0, 1_500_000))
    await verified(transfer, 1_500_000)
    expect(copyOf(node, 'stream')).toBeNull()
    stream.end(content.subarray(1_500_000))
    await transfer.result
    expect(copyOf(node, 'stream')).toBe(content.toString('hex'))
  })

  it.each([
    ['is short', ['ab', 'c'], {}],
    ['has digests that need all of it', ['ab', 'c'.repeat(2 ** 21)], { digest: 'xxh64' }],
    ['is to be compressed', ['ab', 'c'.repeat(2 ** 21)], { compress: 'zstd' }],
  ] as const)('is read to its end first where it %s', async (_, parts, more) => {
    const [node] = await world.nodes(1)
    const stream = new PassThrough()
    const transfer = push(stream, { to: [node.address], as: 'stream', ...settled, ...more })
    for (const part of parts) stream.write(part)
    stream.end()
    const planned = await new Promise<unknown>((resolve) =>
      transfer.once('plan', ({ bytes }) => resolve(bytes)),
    )
    await transfer.result
    const text = parts.join('')
    expect(planned).toBe(text.length)
    expect(copyOf(node, 'stream')).toBe(Buffer.from(text).toString('hex'))
  })

  it('that fails is an error of the source', async () => {
    const [node] = await world.nodes(1)
    const broken = async function* () {
      yield 'ab'
      throw new Error('broken')
    }
    const transfer = push(broken(), { to: [node.address], as: 'stream', ...settled })
    await expect(transfer.result).rejects.toMatchObject({ code: 'ERR_FR_SOURCE' })
  })
})

describe('what cannot be followed', () => {
  const options = { to: ['127.0.0.1:1'], follow: true }

  it.each([
    [{ compress: 'zstd' }, 'compress'],
    [{ base: 'log', baseFile: 'log' }, 'base'],
    [{ commit: 'all' }, 'commit'],
    [{ dryRun: true }, 'dryRun'],
    [{ mirrors: ['127.0.0.1:2'] }, 'mirrors'],
    [{ relays: ['127.0.0.1:2'] }, 'relays'],
    [{ atomic: true }, 'atomic'],
  ] as const)('is refused by name: %o', (more, name) => {
    const text = `this version follows no content with ${name}`
    expect(() => push('log', { ...options, ...more } as never)).toThrow(text)
  })

  it.each([
    [{ digest: 'xxh64' }, 'digest blake3'],
    [{ strategy: 'classic' }, 'strategy classic'],
    [{ follow: false, finalAfterMs: 5 }, 'finalAfterMs needs follow'],
    [{ follow: 'auto', finalAfterMs: 5 }, 'finalAfterMs needs follow'],
    [{ follow: 'always' }, 'follow'],
  ] as const)('is misuse: %o', (more, text) => {
    expect(() => push('log', { ...options, ...more } as never)).toThrow(text)
  })

  it('is several paths, a directory, or what is not there', async () => {
    expect(() => push(['a', 'b'], { ...options, as: 'x' })).toThrow('follow needs one path')
    for (const path of [cache.directory, join(cache.directory, 'missing')])
      await expect(push(path, options).result).rejects.toMatchObject({ code: 'ERR_FR_SOURCE' })
  })
})
