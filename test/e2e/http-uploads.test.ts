/** Uploads to a node: in one request, or broken off and going on, over restarts and full disks. */
import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { generateKey, startNode } from '../../src/api/index.js'
import { httpToken } from '../../src/api/keys.js'
import { Uploads } from '../../src/doors/control/uploads.js'
import { type Door, openDoor } from '../../src/doors/index.js'
import { Api, uploadRoutes } from './http-support.js'
import { until, World, type WorldNode } from './push-support.js'

const world = new World('native')
const key = generateKey()
const token = httpToken(key)
const tus = { 'tus-resumable': '1.0.0' }
const content = randomBytes(300_000)
let node: WorldNode
let door: Door
let api: Api

beforeAll(async () => {
  node = await world.node({ key, attributes: { site: 'here' } })
  door = await openDoor({ node }, { listen: '127.0.0.1:0', key })
  api = await Api.open(door.address, token)
})
afterAll(async () => {
  await door.close()
  await world.dispose()
})

const held = (name: string) => readFileSync(join(node.dataDir, name))
const uploadsIn = (dataDir: string) => readdirSync(join(dataDir, '.fastreplica/uploads'))
const base64 = (text: string) => Buffer.from(text).toString('base64')
const metadataOf = (said: Readonly<Record<string, string>>) =>
  Object.entries(said)
    .map(([name, value]) => `${name} ${base64(value)}`)
    .join(',')

async function begin(said: Readonly<Record<string, string>>, length = content.length) {
  const headers = { ...tus, 'upload-length': `${length}`, 'upload-metadata': metadataOf(said) }
  await api.call('createUpload', { headers, status: 201 })
  return String(api.headers.get('location')).split('/').at(-1) as string
}

const append = (id: string, offset: number, raw: Uint8Array, status = 204, more = {}) => {
  const type = { 'content-type': 'application/offset+octet-stream' }
  const headers = { ...tus, ...type, 'upload-offset': `${offset}`, ...more }
  return api.call('appendUpload', { params: { id }, headers, raw, status })
}

async function offsetOf(id: string): Promise<number> {
  const headers = { authorization: `Bearer ${token}`, ...tus }
  const answer = await fetch(`${api.origin}/api/v1/uploads/${id}`, { method: 'HEAD', headers })
  expect(answer.headers.get('upload-length')).toBe(`${content.length}`)
  expect(answer.headers.get('cache-control')).toBe('no-store')
  return Number(answer.headers.get('upload-offset'))
}

/** The connection is cut once these bytes have come, of a body that was to be longer. */
async function cutOff(id: string, body: Uint8Array): Promise<void> {
  const { hostname, port } = new URL(api.origin)
  const lines = [
    `PATCH /api/v1/uploads/${id} HTTP/1.1`,
    ...['Host: localhost', `Authorization: Bearer ${token}`, 'Tus-Resumable: 1.0.0'],
    ...['Content-Type: application/offset+octet-stream', 'Upload-Offset: 0'],
    ...[`Content-Length: ${content.length}`, '', ''],
  ]
  const socket = connect(Number(port), hostname)
  const closed = new Promise((resolve) => socket.on('close', resolve))
  socket.write(lines.join('\r\n'))
  socket.write(body)
  const come = async () => (await api.call('getUpload', { params: { id } })).offset
  await until(async () => (await come()) === body.length, 'they have come')
  socket.destroy()
  await closed
}

/** It is removed a moment after what it became is there. */
const untilEmpty = (dataDir: string) =>
  until(() => uploadsIn(dataDir).length === 0, 'no upload is left')

describe('one request', () => {
  const put = (name: string, status = 201, more = {}) =>
    api.call('putHolding', { params: { name }, raw: content, status, ...more })

  it('puts what the node holds then, and publishes where it says for whom', async () => {
    const name = 'in/one file.bin'
    expect(await put(name)).toMatchObject({ kind: 'push', state: 'complete', name })
    expect(held(name).equals(content)).toBe(true)
    const published = await put('film', 201, { query: { where: 'site=here' } })
    expect(published).toMatchObject({ kind: 'publish', state: 'complete' })
    await put('empty', 201, { raw: new Uint8Array() })
    expect(held('empty')).toHaveLength(0)
    await untilEmpty(node.dataDir)
  })

  it('keeps nothing of what it refuses', async () => {
    for (const name of ['../x', 'a\0', '.fastreplica/node-key'])
      expect((await put(name, 400)).code).toBe('ERR_FR_NAME')
    expect((await put('x', 400, { query: { where: 'site=' } })).code).toBe('ERR_FR_CRITERIA')
    expect((await put('x', 403, { query: { where: 'site=other' } })).code).toBe('ERR_FR_ONLY')
    mkdirSync(join(node.dataDir, 'directory'))
    expect((await put('directory', 409)).code).toBe('ERR_FR_IS_DIRECTORY')
    await put('x', 401, { headers: { authorization: 'Bearer no' } })
    await put('x', 415, { headers: { 'content-encoding': 'gzip' } })
    expect(uploadsIn(node.dataDir)).toEqual([])
  })
})

describe('tus', () => {
  it('goes on where the connection was cut', async () => {
    const id = await begin({ filename: 'cut.bin', filetype: 'application/octet-stream' })
    await cutOff(id, content.subarray(0, 100_000))
    expect(await offsetOf(id)).toBe(100_000)
    expect((await append(id, 100_001, content.subarray(100_001), 409)).code).toBe('ERR_FR_RANGE')
    await append(id, 100_000, content.subarray(100_000))
    const transfer = String(api.headers.get('fr-transfer'))
    const query = { waitSeconds: '20' }
    const over = await api.call('getTransfer', { params: { id: transfer }, query })
    expect(over).toMatchObject({ state: 'complete', name: 'cut.bin' })
    expect(held('cut.bin').equals(content)).toBe(true)
    const state = await api.call('getUpload', { params: { id } })
    expect(state).toMatchObject({ offset: content.length, transfer })
    // Whoever has missed the answer to the last byte asks again.
    await append(id, content.length, new Uint8Array())
    expect(api.headers.get('fr-transfer')).toBe(transfer)
    expect((await append(id, content.length, content.subarray(0, 1), 413)).code).toBe(
      'ERR_FR_LIMIT',
    )
    const { items } = await api.call('listUploads')
    expect(items.map((one: { id: string }) => one.id)).toContain(id)
  })

  it('goes on with another process, and sends on what was whole', async () => {
    const dataDir = world.dataDir()
    const open = async () => {
      const here = await startNode({ listen: '127.0.0.1:0', dataDir, key })
      return { here, door: await openDoor({ node: here }, { listen: '127.0.0.1:0', key }) }
    }
    const before = api
    let { here, door: own } = await open()
    try {
      api = await Api.open(own.address, token)
      const id = await begin({ name: 'later.bin' })
      await append(id, 0, content.subarray(0, 70_000))
      await own.close()
      await here.close()
      ;({ here, door: own } = await open())
      api = await Api.open(own.address, token)
      expect(await offsetOf(id)).toBe(70_000)
      await own.close()
      await here.close()
      // As if the process had been killed right after the last byte.
      const path = join(dataDir, '.fastreplica/uploads', `${id}.part`)
      writeFileSync(path, content)
      ;({ here, door: own } = await open())
      await untilEmpty(dataDir)
      expect(readFileSync(join(dataDir, 'later.bin')).equals(content)).toBe(true)
    } finally {
      await own.close()
      await here.close()
      api = before
    }
  })

  it('compares what has come with what was said, and ends what is not wanted', async () => {
    const right = createHash('sha256').update(content).digest('hex')
    const other = createHash('sha256').update('other').digest('hex')
    const id = await begin({ name: 'said.bin', sha256: other })
    expect((await append(id, 0, content, 422)).code).toBe('ERR_FR_DIGEST')
    await api.call('removeUpload', { params: { id }, headers: tus, status: 204 })
    await api.call('getUpload', { params: { id }, status: 404 })
    await append(await begin({ name: 'said.bin', sha256: right }), 0, content)
  })

  it('refuses what is wrong', async () => {
    const create = (headers: Readonly<Record<string, string>>, status = 400) =>
      api.call('createUpload', { headers: { ...tus, ...headers }, status })
    const named = { 'upload-metadata': metadataOf({ name: 'x' }) }
    const one = { 'upload-length': '1' }
    await create({ ...named, 'upload-length': '-1' })
    await create(named)
    await create(one)
    await create({ ...one, 'upload-metadata': 'name x=x' })
    await create({ ...one, 'upload-metadata': `${named['upload-metadata']},name eA==` })
    for (const said of [
      ...[{ name: '../x' }, { name: 'x', where: '&&' }, { name: 'x', to: 'a:b:c' }],
      ...[
        { name: 'x', to: '0.0.0.0:1' },
        { name: 'x', sha256: 'abc' },
      ],
      { name: 'x', where: 'a', to: 'b' },
    ])
      await create({ ...one, 'upload-metadata': metadataOf(said) })
    await create({ ...named, 'upload-length': String(2 ** 53 - 1) }, 413)
    await create({ ...named, 'upload-length': String(16 * 1024 ** 4) }, 507)
    await create({ ...named, ...one, 'tus-resumable': '0.2' }, 412)
    const id = await begin({ name: 'long.bin' }, 10)
    await append(id, 0, content, 413)
    await append(id, 0, content, 415, { 'content-type': 'text/plain' })
    await api.call('removeUpload', { params: { id }, headers: tus, status: 204 })
    const can = await fetch(`${api.origin}/api/v1/uploads`, { method: 'OPTIONS' })
    expect([can.status, can.headers.get('tus-extension')]).toEqual([204, 'creation,termination'])
  })

  it('has every route called', () => {
    expect([...uploadRoutes].filter((id) => !api.called.has(id))).toEqual([])
  })
})

const isRoot = process.platform === 'linux' && process.getuid?.() === 0

it.runIf(isRoot)('goes on when a disk that was full has room again', async () => {
  const directory = world.dataDir()
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', directory])
  try {
    const uploads = new Uploads(directory, () => Promise.reject(new Error('it is not whole')))
    const wish = { name: 'x', where: null, to: [], sha256: null }
    const upload = await uploads.create(content.length, wish)
    const rest = () => {
      const body = Readable.from([content.subarray(upload.offset)])
      return Object.assign(body, { headers: {} }) as unknown as IncomingMessage
    }
    const appended = () => uploads.append(upload, upload.offset, rest(), () => {})
    const filler = join(directory, 'filler')
    writeFileSync(filler, Buffer.alloc(900 * 1024))
    await expect(appended()).rejects.toMatchObject({ status: 507, code: 'ERR_FR_NO_SPACE' })
    expect(upload.offset).toBeLessThan(content.length)
    await expect(uploads.create(1, wish)).rejects.toMatchObject({ status: 507 })
    rmSync(filler)
    await appended()
    expect(readFileSync(join(directory, `${upload.id}.part`)).equals(content)).toBe(true)
    await uploads.close()
  } finally {
    execFileSync('umount', [directory])
  }
})
