/** The example of descriptors: any few of them are of use, and what they are not is refused. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decode, encode, readDescriptor } from '../../examples/descriptors/codec.mjs'
import { decibels } from '../../examples/descriptors/polyphase.mjs'
import { qualityOf } from '../../examples/descriptors/quality.mjs'
import { readWav, writeWav } from '../../examples/descriptors/wav.mjs'
import { listOf, root, World } from './cli-world.js'

const program = join(root, 'examples/descriptors/descriptors.mjs')
const rate = 44_100

/** Two channels with a chord that fades, each overtone half as loud as the one below. */
function sound(frames = rate / 2): Buffer {
  const samples = new Int16Array(2 * frames)
  for (let frame = 0; frame < frames; frame++)
    for (let channel = 0; channel < 2; channel++) {
      const value = [1, 2, 4, 8].reduce((sum, octave) => {
        const hertz = (channel === 0 ? 220 : 277) * octave
        return sum + Math.sin((2 * Math.PI * hertz * frame) / rate) / octave
      }, 0)
      samples[2 * frame + channel] = Math.round(12_000 * value * (1 - frame / (2 * frames)))
    }
  return writeWav({ channels: 2, rate, samples })
}

const wav = sound()
const count = 4
const files = encode(wav, count)
const at = (index: number): Buffer => files[index] as Buffer
const quality = (some: readonly Buffer[]): number =>
  decibels(readWav(wav).samples, readWav(decode(some)).samples)

describe('descriptors of a sound', () => {
  it('are sounds themselves, at a part of the rate', () => {
    const original = readWav(wav)
    for (const [i, file] of files.entries()) {
      const { channels, rate: own, samples } = readWav(file)
      expect([channels, own]).toEqual([2, rate / count])
      expect(samples[0]).toBe(original.samples[2 * i])
      expect(samples[3]).toBe(original.samples[2 * (i + count) + 1])
    }
  })

  it('are of use in any subset, of more use the more there are, and exact together', () => {
    const rows = qualityOf(wav, count)
    expect(rows.map(({ descriptors }) => descriptors)).toEqual([1, 2, 3, 4])
    // Telephones have 35 dB.
    expect(rows[0]?.worst).toBeGreaterThan(20)
    expect(rows[2]?.worst).toBeGreaterThan(35)
    const means = rows.map(({ mean }) => mean)
    expect(means).toEqual(means.toSorted((a, b) => a - b))
    expect(rows[3]).toMatchObject({ worst: Number.POSITIVE_INFINITY })
    expect(decode(files).equals(wav)).toBe(true)
    // Not by repeating what was there: that has less.
    const { samples } = readWav(wav)
    const before = (i: number): number => 2 * count * Math.floor(i / 2 / count) + (i % 2)
    const held = samples.map((_, i) => samples[before(i)] ?? 0)
    expect(quality([at(0)])).toBeGreaterThan(decibels(samples, held) + 6)
  })

  it('may have other lengths than the sound divides into', () => {
    for (const frames of [0, 1, 2, 3, 5, 9]) {
      const short = sound(frames)
      const all = encode(short, count)
      expect(decode(all.toReversed()).equals(short)).toBe(true)
      for (const file of all) expect(readWav(decode([file])).samples.length).toBe(2 * frames)
    }
  })

  it('are refused where they are no descriptors, there twice, or of another set', () => {
    expect(() => decode([])).toThrow('at least one descriptor')
    expect(() => decode([wav])).toThrow('this is no descriptor')
    expect(() => decode([at(0), at(1), at(0)])).toThrow('descriptor 0 is there twice')
    const other = encode(sound(rate / 2 + 1), count)[1] as Buffer
    expect(() => decode([at(0), other])).toThrow('of different sets')
    expect(() => decode([at(0).subarray(0, 99)])).toThrow('cut off')
    const wrong = Buffer.from(at(1))
    // The index, in the chunk behind the format.
    wrong.writeUInt16LE(count, wrong.indexOf('frds') + 8 + 16)
    expect(() => readDescriptor(wrong)).toThrow('not what it says of itself')
    expect(() => encode(wav, 33)).toThrow('1 to 32')
  })
})

describe('descriptors.mjs', () => {
  let world: World
  beforeAll(() => {
    world = new World()
  })
  afterAll(() => world.close())

  const run = async (...args: string[]) => {
    const running = world.start(process.execPath, [program, ...args])
    return [await running.ended, running.stdout, running.stderr] as const
  }

  it('splits what fr push brings, and joins what a node has of it', async () => {
    writeFileSync(world.path('song.wav'), wav)
    expect(await run('split', 'song.wav', '4', 'out')).toEqual([0, '', ''])
    const nodes = await world.nodes(2)
    const paths = [0, 1, 2, 3].map((i) => world.path(`out/d${i}.wav`))
    const wishes = ['--enough', '1', '--as', 'song', '--to', listOf(nodes), '--json']
    const pushed = await world.run(['push', '--descriptors', ...paths, ...wishes])
    expect(pushed.status).toBe(0)
    expect(pushed.lines.at(-1)).toMatchObject({ event: 'result', descriptors: { usable: 2 } })

    const [{ data }] = nodes
    const there = [0, 1, 2, 3].map((i) => join(data, 'song', `d${i}.wav`))
    expect(await run('join', 'whole.wav', ...there)).toEqual([0, '', ''])
    expect(readFileSync(world.path('whole.wav')).equals(wav)).toBe(true)
    rmSync(there[2] as string)
    expect(await run('join', 'some.wav', ...there.filter((_, i) => i !== 2))).toEqual([0, '', ''])
    const some = readWav(readFileSync(world.path('some.wav'))).samples
    expect(decibels(readWav(wav).samples, some)).toBeGreaterThan(35)
    const [status, , words] = await run('join', 'x.wav', 'song.wav')
    expect([status, words]).toEqual([1, 'this is no descriptor\n'])
  })

  it('draws the quality against the number of descriptors', async () => {
    writeFileSync(world.path('song.wav'), wav)
    const [status, lines] = await run('quality', 'song.wav', '3', 'plot.svg')
    expect(status).toBe(0)
    expect(lines.trimEnd().split('\n')).toHaveLength(3)
    const plot = readFileSync(world.path('plot.svg'), 'utf8')
    expect(plot.match(/<circle /g)).toHaveLength(3)
    expect(plot).toContain('>exact</text>')
    expect(plot).not.toMatch(/NaN|undefined|Infinity/)
    expect((await run('quality', 'song.wav'))[0]).toBe(2)
  })
})
