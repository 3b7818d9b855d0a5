/** A door that shows a certificate: files and API over HTTPS. */
import { once } from 'node:events'
import { copyFileSync, readFileSync, renameSync } from 'node:fs'
import { type IncomingMessage, request as plainRequest } from 'node:http'
import { request } from 'node:https'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { initCa, issue } from '../../src/api/ca.js'
import { generateKey, type LogLine, push } from '../../src/api/index.js'
import { httpToken } from '../../src/api/keys.js'
import { type Door, openDoor } from '../../src/doors/index.js'
import { until, World } from './push-support.js'

const MIB = 1024 * 1024
const world = new World('native')
const key = generateKey()
const files = { cert: '', key: '' }
const log: LogLine[] = []
let authority = ''
let ca = ''
let door: Door
let content: Buffer

beforeAll(async () => {
  authority = join(world.dir, 'ca')
  await initCa(authority)
  await issue(authority, 'localhost')
  await issue(authority, 'renewed.example')
  ca = readFileSync(join(authority, 'ca.crt'), 'latin1')
  files.cert = join(world.dir, 'door.crt')
  files.key = join(world.dir, 'door.key')
  place('localhost', files)
  const node = await world.node({ key })
  const options = { listen: '127.0.0.1:0', key, logger: (line: LogLine) => log.push(line) }
  door = await openDoor({ node }, { ...options, https: files })
  const file = world.file('film.mp4', 3 * MIB + 7)
  content = file.content
  await push(file.path, { to: [node.address], key, digest: 'blake3' }).result
})
afterAll(async () => {
  await door?.close()
  await world.dispose()
})

/** As programs that renew certificates do: a new file in the place of each. */
function place(name: string, to: Partial<typeof files>): void {
  for (const [what, end] of [
    ['key', 'key'],
    ['cert', 'crt'],
  ] as const) {
    const path = to[what]
    if (path === undefined) continue
    copyFileSync(join(authority, `${name}.${end}`), `${path}.new`)
    renameSync(`${path}.new`, path)
  }
}

async function ask(path: string, servername = 'localhost', headers = {}) {
  const [, port] = door.address.split(':')
  const to = { host: '127.0.0.1', port, path, ca, servername, agent: false as const }
  const asked = request({ ...to, headers: { host: `localhost:${port}`, ...headers } }).end()
  const [said] = (await once(asked, 'response')) as [IncomingMessage]
  const { subject } = (said.socket as TLSSocket).getPeerCertificate()
  const chunks: Buffer[] = []
  for await (const chunk of said) chunks.push(chunk as Buffer)
  return { status: said.statusCode, subject: subject.CN, body: Buffer.concat(chunks) }
}

it('gives files and ranges of them, and what is behind a token', async () => {
  const whole = await ask('/files/film.mp4')
  const isRight = whole.body.equals(content)
  expect({ ...whole, body: '', isRight }).toMatchObject({ status: 200, isRight: true })
  const range = await ask('/files/film.mp4', 'localhost', { range: 'bytes=1048570-2097200' })
  expect(range.status).toBe(206)
  expect(range.body.equals(content.subarray(1048570, 2097201))).toBe(true)
  const authorization = `Bearer ${httpToken(key)}`
  expect((await ask('/api/v1/node', 'localhost', { authorization })).status).toBe(200)
})

it('is named as what it is in Metalinks', async () => {
  const { body } = await ask('/files/film.mp4.meta4')
  const port = door.address.split(':')[1]
  expect(body.toString()).toContain(`>https://localhost:${port}/files/film.mp4</url>`)
})

it('says nothing to who does not encrypt', async () => {
  const asked = plainRequest(`http://${door.address}/healthz`).end()
  await expect(once(asked, 'response')).rejects.toThrow()
  const [host, port] = door.address.split(':')
  const socket = connect(Number(port), host)
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk))
  socket.on('error', () => {})
  socket.write('no hello\r\n\r\n'.repeat(10))
  await new Promise((resolve) => socket.once('close', resolve))
  expect(Buffer.concat(chunks).toString('latin1')).not.toContain('HTTP/1.1')
})

it('shows a renewed certificate without a restart, the old one until it fits its key', async () => {
  place('renewed.example', { key: files.key })
  expect((await ask('/healthz')).subject).toBe('localhost')
  const refused = () => log.filter(({ event }) => event === 'certificates-refused')
  await until(() => refused().length === 1, 'the log says that they do not fit')
  expect(refused()[0]?.fields).toMatchObject({ code: 'ERR_FR_CERTIFICATE' })
  place('renewed.example', { cert: files.cert })
  expect(await ask('/healthz', 'renewed.example')).toMatchObject({
    ...{ status: 200, subject: 'renewed.example' },
  })
})

it('refuses what is no pair of certificate and key', async () => {
  const node = await world.node({ key })
  const https = { cert: files.cert, key: join(authority, 'localhost.key') }
  await expect(openDoor({ node }, { listen: '127.0.0.1:0', key, https })).rejects.toMatchObject({
    code: 'ERR_FR_CERTIFICATE',
  })
})

it('warns where tokens would pass a network in the clear', async () => {
  const node = await world.node({ key })
  const told: LogLine[] = []
  const logger = (line: LogLine): number => told.push(line)
  for (const listen of ['0.0.0.0:0', '127.0.0.1:0'])
    await (await openDoor({ node }, { listen, key, logger })).close()
  await (await openDoor({ node }, { listen: '0.0.0.0:0', key, logger, https: files })).close()
  expect(told.map(({ event }) => event)).toEqual(['http-plain'])
})
