/** Who may do what at a door: tokens with rights, and a node that serves only listed peers. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type FrNode, fetchStatus, generateKey } from '../../src/api/index.js'
import { type Door, openDoor } from '../../src/doors/index.js'
import { sha256Of } from '../../src/doors/tokens.js'
import { Api } from './http-support.js'
import { World } from './push-support.js'

const world = new World('native')
const key = generateKey()
let node: FrNode
let door: Door
let tokens: string

beforeAll(async () => {
  const authorize = join(world.dir, 'peers')
  writeFileSync(authorize, `${'0'.repeat(32)} somebody-else\n`, { mode: 0o644 })
  node = await world.node({ key, authorize })
  await expect(fetchStatus(node.address, { key })).rejects.toMatchObject({ code: 'ERR_FR_AUTH' })
  tokens = join(world.dir, 'tokens')
  const lines = [
    `${sha256Of('writer')} writer push in/**, get **, rm in/**, status`,
    `${sha256Of('reader')} reader get in/**`,
  ]
  writeFileSync(tokens, `${lines.join('\n')}\n`, { mode: 0o600 })
  door = await openDoor({ node }, { listen: '127.0.0.1:0', key, tokens })
})
afterAll(async () => {
  await door.close()
  await world.dispose()
})

it('asks a node that serves listed peers only, and judges by the rights of tokens', async () => {
  const writer = await Api.open(door.address, 'writer')
  const reader = await Api.open(door.address, 'reader')
  const nobody = await Api.open(door.address, null)
  expect((await writer.call('listHoldings')).items).toEqual([])
  const refused = await reader.call('listHoldings', { status: 403 })
  expect(refused).toMatchObject({ code: 'ERR_FR_RIGHT', retryable: false })
  expect((await nobody.call('listHoldings', { status: 401 })).code).toBe('ERR_FR_AUTH')
  const outside = { params: { name: 'out/a' }, status: 403 }
  expect((await writer.call('removeHolding', outside)).code).toBe('ERR_FR_RIGHT')
  const inside = { params: { name: 'in/a' }, status: 404 }
  expect((await writer.call('removeHolding', inside)).code).toBe('ERR_FR_NOT_HELD')
  await writer.call('limitNode', { body: { upBytesPerSecond: null }, status: 403 })
})

it('reads the list again', async () => {
  const reader = await Api.open(door.address, 'reader')
  writeFileSync(tokens, `${sha256Of('reader')} reader status\n* status\n`)
  await door.reload()
  await reader.call('listHoldings')
  await (await Api.open(door.address, null)).call('getNode')
  await (await Api.open(door.address, 'writer')).call('getNode', { status: 401 })
})
