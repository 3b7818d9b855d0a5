/** What comes to a node from others is read there before all of it has come. */
import { Writable } from 'node:stream'
import { expect, it } from 'vitest'
import { get, push } from '../../src/api/index.js'
import { linearBytes } from '../../src/base/division.js'
import { MIB } from '../../src/base/limits.js'
import { signAnnouncement } from '../../src/protocol/announcement.js'
import { seededSigner } from '../unit/protocol/support.js'
import { orderOf, saidOf, Target } from './instructed-support.js'
import { until, useWorld } from './push-support.js'

const world = useWorld('native')
const name = 'film.bin'
const size = 6 * MIB + 7
const half = 3 * MIB

it('fr get --follow waits for what is published there, and gives what has come', async () => {
  const attributes = { region: 'eu' }
  const only = 'region=eu'
  const source = await world.node({ attributes })
  const { path, content } = world.file(name, size)
  const result = await push(path, { to: [source.address], only }).result
  const target = await Target.start(world, { attributes })
  const said = saidOf(name, result)
  const read: Buffer[] = []
  let isEnded = false
  const bytes = (): number => read.reduce((sum, { length }) => sum + length, 0)
  const output = new Writable({
    write: (chunk: Buffer, _, done) => {
      read.push(chunk)
      done()
    },
  })

  const from = [target.address]
  const absent = get(name, { from, output: new Writable(), follow: true }).result
  await expect(absent).rejects.toMatchObject({ code: 'ERR_FR_NOT_HELD' })
  const announced = signAnnouncement(seededSigner(3), {
    ...{ kind: 'publish', name, contentId: said.contentId, digest: said.digest as string, size },
    ...{ where: only, allow: null, issuedAtMs: Date.now(), expiresAtMs: null },
    division: linearBytes(size),
    initiator: { nodeId: source.nodeId, address: source.address, site: '' },
  })
  await target.service.directory.announce(announced)
  const following = get(name, { from, output, attributes, follow: true }).result.finally(() => {
    isEnded = true
  })
  following.catch(() => {})
  expect(await target.copy(orderOf(said, [0, half], source))).toMatchObject({ cause: null })
  await until(() => bytes() === half)
  expect(isEnded).toBe(false)
  // Whoever does not say that it is one of those gets nothing.
  const other = get(name, { from, output: new Writable(), follow: true }).result
  await expect(other).rejects.toMatchObject({ code: 'ERR_FR_ONLY' })
  expect(await target.copy(orderOf(said, [half, size - half], source))).toMatchObject({
    cause: null,
  })
  expect(await following).toMatchObject({ bytes: size, digest: result.digest })
  expect(Buffer.concat(read).equals(content)).toBe(true)
})
