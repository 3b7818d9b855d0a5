/** The beginning of a stream, read before anybody is told of it. */
import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { ReadAhead } from '../../../src/store/growing/read-ahead.js'

/** Of one that never comes to an end, only the bytes count. */
const never = { bytes: 4, ms: 600_000 }

async function textOf(chunks: AsyncIterable<Uint8Array | string>): Promise<string> {
  let text = ''
  for await (const chunk of chunks) text += Buffer.from(chunk as string).toString()
  return text
}

async function* giving(parts: readonly string[], failure?: Error): AsyncGenerator<string> {
  for (const part of parts) yield part
  if (failure !== undefined) throw failure
}

describe('a stream that is read ahead', () => {
  it.each([
    { parts: [], isShort: true },
    { parts: ['', 'a', 'bc'], isShort: true },
    { parts: ['abcd'], isShort: false },
    { parts: ['ab', 'cdef', 'g'], isShort: false },
  ])('is short where it ends before that much: %o', async ({ parts, isShort }) => {
    const ahead = new ReadAhead(giving(parts))
    expect(await ahead.isShort(never)).toBe(isShort)
    expect(await textOf(ahead)).toBe(parts.join(''))
  })

  it('is not short where nothing comes for long, and loses nothing then', async () => {
    const stream = new PassThrough()
    stream.write('a')
    const ahead = new ReadAhead(stream)
    expect(await ahead.isShort({ bytes: 4, ms: 20 })).toBe(false)
    stream.write('b')
    stream.end('c')
    expect(await textOf(ahead)).toBe('abc')
  })

  it('fails after what came before, and for whoever reads it', async () => {
    const ahead = new ReadAhead(giving(['ab', 'c'], new Error('broken')))
    expect(await ahead.isShort(never)).toBe(true)
    const iterator = ahead[Symbol.asyncIterator]()
    expect([await iterator.next(), await iterator.next()]).toMatchObject([
      { value: 'ab' },
      { value: 'c' },
    ])
    await expect(iterator.next()).rejects.toThrow('broken')
  })

  it('gives up a stream that waits', async () => {
    const stream = new PassThrough()
    const ahead = new ReadAhead(stream)
    expect(await ahead.isShort({ bytes: 4, ms: 5 })).toBe(false)
    ahead.destroy()
    expect(stream.destroyed).toBe(true)
  })
})
