/** Holders that lie, beside one that does not: each costs what it had promised, and no more. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type GetResult, get } from '../../src/api/index.js'
import { usualEngines } from './engines.js'
import { type Authored, authored, holdingBack, plantHeld } from './get-support.js'
import { type HostileFeed, keyText } from './hostile.js'
import { HostileHolder, type Ways } from './hostile-holder.js'
import { until, useWorld } from './push-support.js'

const MIB = 1024 * 1024
const name = 'f.bin'

const spoilt = (bytes: Buffer): Buffer => {
  const wrong = Buffer.from(bytes)
  wrong[0] = (wrong[0] as number) ^ 1
  return wrong
}

describe.each(usualEngines)('with the %s engine', (engine) => {
  const world = useWorld(engine)
  const out = (): string => join(world.dir, 'out')

  async function content(bytes = 8 * MIB): Promise<Authored> {
    const made = world.file('source', bytes)
    return authored(made.path, made.content, 'blake3')
  }

  async function honest(made: Authored): Promise<string> {
    const dataDir = world.dataDir()
    await plantHeld(dataDir, name, made)
    return (await world.node({ dataDir, key: keyText })).address
  }

  async function liar(made: Authored, ways: Partial<Ways>): Promise<[HostileHolder, string]> {
    const holder = new HostileHolder(made, ways)
    world.defer(() => holder.close())
    return [holder, await holder.listening()]
  }

  function fetched(from: readonly string[]): Promise<GetResult> {
    const options = { from, output: out(), engine, key: keyText, logger: world.logger }
    return get(name, options).result
  }

  /** The lie, and what the liar was asked for by then. */
  const ways: [string, Partial<Ways>, keyof HostileHolder['asked']][] = [
    ['never answers', { offer: () => null }, 'names'],
    ['promises and sends nothing', { sends: false }, 'pulls'],
    ['says that it holds nothing', { holding: () => [] }, 'pulls'],
    ['sends wrong bytes', { bytes: spoilt }, 'pulls'],
    [
      'sends every second block wrong',
      {
        bytes: (bytes, at) => ((at / 65_536) % 2 === 0 ? bytes : spoilt(bytes)),
      },
      'pulls',
    ],
    ['sends no digests', { digests: () => {} }, 'digests'],
    [
      'sends digests that nobody signed',
      {
        digests: (feed, { runs }) => {
          for (const { payload, ...place } of runs)
            feed.digests(place, spoilt(Buffer.from(payload)))
        },
      },
      'digests',
    ],
    [
      'sends digests of another place',
      {
        digests: (feed, { runs: [run] }) => {
          if (run) feed.digests({ offset: run.offset + 1, length: run.length }, run.payload)
        },
      },
      'digests',
    ],
    [
      'sends bytes beyond the file',
      {
        digests: (feed) => feed.record({ offset: 2 ** 40, length: 4 }, Buffer.from('none')),
      },
      'digests',
    ],
    ['sends what is no answer', { offer: () => ({ type: 'beat' }) }, 'names'],
    [
      'offers a file at another place',
      {
        offer: (offer) => ({
          type: 'fetched',
          ...offer,
          entry: { ...offer.entry, base: 65_536 },
        }),
      },
      'names',
    ],
  ]

  it.each(ways)('a holder that %s costs its own blocks', async (_, lie, what) => {
    const made = await content()
    const [{ asked }, lying] = await liar(made, lie)
    const door = await holdingBack(world, await honest(made), 0)
    const getting = fetched([lying, door.address])
    await until(() => asked[what] > 0, `the liar is asked for ${what}`)
    door.open()
    await getting
    expect(readFileSync(out()).equals(made.content)).toBe(true)
  })

  it.each<[string, (feed: HostileFeed) => void]>([
    ['a block', (feed) => feed.record({ offset: 7 * MIB, length: 65_536 }, Buffer.alloc(65_536))],
    [
      'a byte of each block',
      (feed) => {
        for (let at = 6 * MIB; at < 8 * MIB; at += 65_536)
          feed.record({ offset: at + 5, length: 1 }, Buffer.alloc(1))
      },
    ],
    ['a hole', (feed) => feed.record({ kind: 'hole', offset: 7 * MIB, length: 65_536 })],
  ])('%s that nobody asked for is blamed on who sent it', async (_, before) => {
    const made = await content()
    const [{ asked }, lying] = await liar(made, { before })
    const door = await holdingBack(world, await honest(made), 0)
    const getting = fetched([lying, door.address])
    await until(() => asked.pulls > 0, 'the liar is asked for bytes')
    door.open()
    const result = await getting
    expect(readFileSync(out()).equals(made.content)).toBe(true)
    const [bad, good] = result.from
    expect(bad?.reason).toMatch(/^ERR_FR_PROTOCOL: /)
    expect(good?.reason).toBeNull()
  })

  it('a holder that wants more flows has them, and sends on each', async () => {
    const made = await content(MIB)
    const [{ asked }, holder] = await liar(made, { flows: 4 })
    const { from } = await fetched([holder])
    expect(readFileSync(out()).equals(made.content)).toBe(true)
    expect(from.map(({ reason }) => reason)).toEqual([null])
    expect(asked).toMatchObject({ flows: 4, repairs: 0 })
  })

  it('a holder alone that sends wrong bytes is named, and asked a few times only', async () => {
    const made = await content(MIB)
    const [{ asked }, lying] = await liar(made, { bytes: spoilt })
    await expect(fetched([lying])).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_FR_BAD_BLOCK$/),
      message: expect.stringContaining(lying),
    })
    expect(asked.names).toBe(1)
  })

  it('digests that are signed and do not give the file digest are not believed', async () => {
    const made = await content(MIB)
    const other = world.file('other', MIB - 1)
    const wrong = await authored(other.path, other.content, 'blake3')
    const fileDigest = made.fileDigest
    // All of it is of another file, but for the digest that names it.
    const [, lying] = await liar({ ...wrong, fileDigest, content: other.content }, {})
    await expect(fetched([lying])).rejects.toMatchObject({ code: 'ERR_FR_DIGEST' })
    const good = await honest(made)
    await fetched([good, lying])
    expect(readFileSync(out()).equals(made.content)).toBe(true)
  })
})
