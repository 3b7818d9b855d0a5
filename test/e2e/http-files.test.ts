/** Files of a node over HTTP: what programs ask for, and what nobody should. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, get as httpGet, type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Running } from '../../bench/running.mjs'
import { digestFile, generateKey, push, pushStream } from '../../src/api/index.js'
import { httpToken } from '../../src/api/keys.js'
import { type Door, openDoor } from '../../src/doors/index.js'
import { sha256Of } from '../../src/doors/tokens.js'
import { until, World, type WorldNode } from './push-support.js'

const MIB = 1024 * 1024
const world = new World('native')
const key = generateKey()
const strange = `a <b>&"c" 100% #?ü.txt`
let node: WorldNode
let door: Door
let origin: string
let content: Buffer
let digest: string

beforeAll(async () => {
  node = await world.node({ key, attributes: { site: 'here' } })
  door = await openDoor({ node }, { listen: '127.0.0.1:0', key })
  origin = `http://${door.address}`
  const file = world.file('film.mp4', 6 * MIB + 99)
  content = file.content
  digest = await digestFile(file.path, { digest: 'blake3' })
  const to = [node.address]
  await push(file.path, { to, key }).result
  for (const as of ['dir/small.txt', `dir/${strange}`])
    await push(Buffer.from('small'), { to, key, as }).result
  const only = 'site = here'
  await push(Buffer.from('secret'), { to, key, as: 'dir/only.txt', only }).result
})
afterAll(async () => {
  await door.close()
  await world.dispose()
})

interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

const agent = new Agent({ keepAlive: true, maxSockets: 1 })
afterAll(() => agent.destroy())

/** On the one connection that all share, so each shows that the one before has left it in order. */
async function ask(path: string, headers: Record<string, string> = {}, method = 'GET') {
  const asked = request(`${origin}${path}`, { agent, method, headers }).end()
  const [said] = (await once(asked, 'response')) as [IncomingMessage]
  const chunks: Buffer[] = []
  for await (const chunk of said) chunks.push(chunk as Buffer)
  const answer: Answer = {
    ...{ status: said.statusCode ?? 0, headers: said.headers, body: Buffer.concat(chunks) },
  }
  return answer
}

describe('a file', () => {
  it('is sent whole, past JavaScript, with what is known of it', async () => {
    const before = node.status().counters
    const { status, headers, body } = await ask('/files/film.mp4')
    expect({ status, isRight: body.equals(content) }).toEqual({ status: 200, isRight: true })
    expect(headers).toMatchObject({
      ...{ etag: `"${digest}"`, 'accept-ranges': 'bytes', 'content-type': 'video/mp4' },
      ...{ 'content-length': String(content.length), 'content-security-policy': 'sandbox' },
      'repr-digest': `blake3=:${Buffer.from(digest.slice(7), 'hex').toString('base64')}:`,
    })
    const after = node.status().counters
    expect(after['payloadBytesInJavaScript']).toBe(0)
    expect((after['servedBytes'] ?? 0) - (before['servedBytes'] ?? 0)).toBe(content.length)
    const head = await ask('/files/film.mp4', {}, 'HEAD')
    expect({ ...head.headers, date: '' }).toEqual({ ...headers, date: '' })
    expect(head.body.length).toBe(0)
  })

  it('is sent in parts', async () => {
    const size = content.length
    const some = await ask('/files/film.mp4', { range: 'bytes=100-4194400' })
    expect(some.status).toBe(206)
    expect(some.headers['content-range']).toBe(`bytes 100-4194400/${size}`)
    expect(some.body.equals(content.subarray(100, 4_194_401))).toBe(true)
    const end = await ask('/files/film.mp4', { range: 'bytes=-7', 'if-range': `"${digest}"` })
    expect(end.body.equals(content.subarray(-7))).toBe(true)
    const other = await ask('/files/film.mp4', { range: 'bytes=-7', 'if-range': '"other"' })
    expect([other.status, other.body.length]).toEqual([200, size])
    const beyond = await ask('/files/film.mp4', { range: `bytes=${size}-` })
    expect([beyond.status, beyond.headers['content-range']]).toEqual([416, `bytes */${size}`])
    const several = await ask('/files/film.mp4', { range: 'bytes=0-9,1000000-2999999,-5' })
    const type = several.headers['content-type'] ?? ''
    const border = /^multipart\/byteranges; boundary=(\w+)$/.exec(type)?.[1]
    const part = (from: number, to: number): Buffer =>
      Buffer.concat([
        Buffer.from(`\r\n--${border}\r\ncontent-type: video/mp4\r\n`),
        Buffer.from(`content-range: bytes ${from}-${to - 1}/${size}\r\n\r\n`),
        content.subarray(from, to),
      ])
    const parts = [part(0, 10), part(1_000_000, 3_000_000), part(size - 5, size)]
    const wanted = Buffer.concat([...parts, Buffer.from(`\r\n--${border}--\r\n`)])
    expect(several.status).toBe(206)
    expect(several.body.equals(wanted)).toBe(true)
  })

  it('is not sent again to who has it, nor for another', async () => {
    const { headers } = await ask('/files/film.mp4', { 'if-none-match': `"${digest}"` })
    expect(headers.etag).toBe(`"${digest}"`)
    const since = headers['last-modified'] as string
    const answers = await Promise.all([
      ask('/files/film.mp4', { 'if-none-match': `"${digest}"` }),
      ask('/files/film.mp4', { 'if-modified-since': since }),
      ask('/files/film.mp4', { 'if-match': '"other"' }),
    ])
    expect(answers.map(({ status }) => status)).toEqual([304, 304, 412])
  })

  it('is told with its SHA-256 to who wants one, once it is known', async () => {
    const options = { to: [node.address], key, as: 'd.txt', digest: 'xxh64' } as const
    await push(Buffer.from('digested'), options).result
    expect((await ask('/files/d.txt')).headers['repr-digest']).toBeUndefined()
    const sha256 = createHash('sha256').update('digested')
    const base64 = sha256.copy().digest('base64')
    const told = async (headers: Record<string, string>) =>
      (await ask('/files/d.txt', headers, 'HEAD')).headers
    const isTold = async (): Promise<boolean> =>
      (await told({ 'want-repr-digest': 'sha-256=10' }))['repr-digest'] !== undefined
    await until(isTold, 'it is worked out')
    expect((await told({}))['repr-digest']).toBe(`sha-256=:${base64}:`)
    expect(await told({ 'want-digest': 'SHA-256' })).toMatchObject({ digest: `SHA-256=${base64}` })
    const { body } = await ask('/files/d.txt.meta4')
    expect(body.toString()).toContain(`<hash type="sha-256">${sha256.digest('hex')}</hash>`)
  })

  it('is not found by tricks', async () => {
    const paths = {
      '/files/nothing': 404,
      '/files/../film.mp4': 400,
      '/files/dir/../film.mp4': 400,
      '/files/./film.mp4': 400,
      '/files//film.mp4': 400,
      '/files/dir%2Fsmall.txt': 404,
      '/files/%2e%2e/%2e%2e/etc/passwd': 400,
      '/files/..%2f..%2fetc%2fpasswd': 404,
      '/files/film.mp4%00.txt': 404,
      '/files/%': 404,
      '/files/.fastreplica/key': 400,
      '/files/film.mp4/x': 404,
      '/files/dir\\..\\film.mp4': 404,
      '/files/CON': 404,
      '/files/dir/only.txt': 403,
    }
    const found: Record<string, number> = {}
    for (const path of Object.keys(paths)) {
      const asked = connect(Number(door.address.split(':')[1]), '127.0.0.1')
      asked.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`)
      let text = ''
      for await (const chunk of asked) text += String(chunk)
      found[path] = Number(text.slice(9, 12))
    }
    expect(found).toEqual(paths)
    expect((await ask('/files/film.mp4', {}, 'DELETE')).status).toBe(405)
  })
})

describe('a connection', () => {
  it('carries answers in the order of the questions, also where they come at once', async () => {
    const socket = connect(Number(door.address.split(':')[1]), '127.0.0.1')
    const line = (range: string, end = ''): string =>
      `GET /files/film.mp4 HTTP/1.1\r\nhost: localhost\r\nrange: bytes=${range}\r\n${end}\r\n`
    const ranges = ['0-2999999', '5-9', '3000000-']
    socket.write(
      ranges.map((range, at) => line(range, at === 2 ? 'connection: close\r\n' : '')).join(''),
    )
    const chunks: Buffer[] = []
    for await (const chunk of socket) chunks.push(chunk as Buffer)
    let rest = Buffer.concat(chunks)
    for (const [from, to] of [
      [0, 3_000_000],
      [5, 10],
      [3_000_000, content.length],
    ] as const) {
      const end = rest.indexOf('\r\n\r\n') + 4
      expect(rest.subarray(0, 12).toString()).toBe('HTTP/1.1 206')
      expect(rest.subarray(end, end + to - from).equals(content.subarray(from, to))).toBe(true)
      rest = rest.subarray(end + to - from)
    }
    expect(rest.length).toBe(0)
  })

  it('that ends in the midst of an answer costs nobody anything', async () => {
    for (const bytes of [0, 1, 300, 70_000, 3_000_000]) {
      const asked = httpGet(`${origin}/files/film.mp4`, { agent: false })
      const [said] = (await once(asked, 'response')) as [IncomingMessage]
      let seen = 0
      if (bytes > 0)
        for await (const chunk of said) {
          seen += (chunk as Buffer).length
          if (seen >= bytes) break
        }
      asked.destroy()
    }
    const isOver = (): boolean => node.status().counters['openServes'] === 0
    await until(isOver, 'all answers are over')
    expect((await ask('/files/dir/small.txt')).body.toString()).toBe('small')
  })

  it('brings all of a file that is removed meanwhile', async () => {
    await push(content, { to: [node.address], key, as: 'gone.bin' }).result
    const asked = httpGet(`${origin}/files/gone.bin`, { agent: false })
    const [said] = (await once(asked, 'response')) as [IncomingMessage]
    rmSync(join(node.dataDir, 'gone.bin'))
    const chunks: Buffer[] = []
    for await (const chunk of said) chunks.push(chunk as Buffer)
    expect(Buffer.concat(chunks).equals(content)).toBe(true)
    expect((await ask('/files/gone.bin')).status).toBe(404)
  })
})

it('what is still written is sent as it comes, or as far as it is there', async () => {
  const stream = new PassThrough()
  const options = { to: [node.address], as: 'live.ts', key, rejoinMs: 0, silenceMs: 6_000 }
  const pushing = pushStream(stream, options)
  pushing.result.catch(() => {})
  stream.write('first ')
  const isThere = async (): Promise<boolean> =>
    (await ask('/files/live.ts', {}, 'HEAD')).status === 200
  await until(isThere, 'it comes')
  const asked = httpGet(`${origin}/files/live.ts`, { agent: false })
  const [said] = (await once(asked, 'response')) as [IncomingMessage]
  expect(said.headers).toMatchObject({
    'transfer-encoding': 'chunked',
    'content-type': 'video/mp2t',
  })
  let text = ''
  said.on('data', (chunk) => {
    text += String(chunk)
  })
  await until(() => text === 'first ', 'what is there has come')
  const part = await ask('/files/live.ts', { range: 'bytes=1-' })
  expect([part.status, part.headers['content-range']]).toEqual([206, 'bytes 1-5/*'])
  expect(part.body.toString()).toBe('irst ')
  stream.end('last')
  await once(said, 'end')
  expect(text).toBe('first last')
  await pushing.result
  expect((await ask('/files/live.ts')).headers['content-length']).toBe('10')
})

describe('a directory', () => {
  it('is listed for programs and for people', async () => {
    const root = JSON.parse((await ask('/files/')).body.toString())
    const names = root.entries.map(({ name }: { name: string }) => name)
    expect(names).toContain('film.mp4')
    expect(names).toContain('dir/')
    const answer = await ask('/files/dir/')
    const listed = JSON.parse(answer.body.toString())
    expect(listed.isWhole).toBe(true)
    expect(listed.entries).toHaveLength(3)
    for (const { path, bytes } of listed.entries) {
      if (path === 'only.txt') continue
      const { body } = await ask(`/files/dir/${path}`)
      expect([body.toString(), bytes]).toEqual(['small', 5])
    }
    const page = await ask('/files/dir/', { accept: 'text/html,*/*' })
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8')
    expect(page.body.toString()).toContain('a &lt;b&gt;&amp;&quot;c&quot; 100% #?ü.txt</a>')
    expect(page.body.toString()).not.toContain('<b>')
    expect((await ask('/files/nowhere/')).status).toBe(404)
  })

  it('of a door that is not open to all is for those with the right', async () => {
    const locked = await openDoor({ node }, { listen: '0.0.0.0:0', key })
    const port = locked.address.split(':')[1]
    const statusOf = async (path: string, token?: string): Promise<number> => {
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
      const { status } = await fetch(`http://127.0.0.1:${port}${path}`, { headers })
      return status
    }
    try {
      expect(await statusOf('/files/film.mp4')).toBe(401)
      expect(await statusOf('/files/')).toBe(401)
      expect(await statusOf('/files/film.mp4', httpToken(key))).toBe(200)
    } finally {
      await locked.close()
    }
  })
})

it('what is only for some is given to tokens that qualify, and to nobody else', async () => {
  const tokens = join(world.dir, 'tokens')
  const list = {
    here: 'get **, attr site=here',
    there: 'get **, attr site=there',
    plain: 'get **',
    admin: 'admin',
    narrow: 'get other/**, attr site=here',
  }
  const lines = Object.entries(list).map(([name, rights]) => `${sha256Of(name)} ${name} ${rights}`)
  writeFileSync(tokens, `${lines.join('\n')}\n* get **\n`, { mode: 0o600 })
  const asking = await openDoor({ node }, { listen: '127.0.0.1:0', key, tokens })
  const found: Record<string, unknown> = {}
  try {
    for (const token of [...Object.keys(list), null])
      for (const path of ['only.txt', 'only.txt.meta4']) {
        const headers = token === null ? {} : { authorization: `Bearer ${token}` }
        const said = await fetch(`http://${asking.address}/files/dir/${path}`, { headers })
        const text = await said.text()
        found[`${token} ${path}`] = said.status
        expect(text.includes('secret')).toBe(said.status === 200 && path === 'only.txt')
        if (said.status === 200 && path === 'only.txt')
          expect(said.headers.get('cache-control')).toMatch(/^private, /)
      }
  } finally {
    await asking.close()
  }
  expect(found).toEqual({
    ...{ 'here only.txt': 200, 'here only.txt.meta4': 200 },
    ...{ 'there only.txt': 403, 'there only.txt.meta4': 403 },
    ...{ 'plain only.txt': 403, 'plain only.txt.meta4': 403 },
    ...{ 'admin only.txt': 403, 'admin only.txt.meta4': 403 },
    ...{ 'narrow only.txt': 403, 'narrow only.txt.meta4': 403 },
    ...{ 'null only.txt': 403, 'null only.txt.meta4': 403 },
  })
})

it('aria2c brings a file from all nodes that have it, at once', async () => {
  const bytesPerSecond = 4 * MIB
  const limited = { limitUpBytesPerSecond: bytesPerSecond }
  const nodes = await Promise.all([1, 2, 3].map(() => world.node(limited)))
  const { path, content: bytes } = world.file('m.bin', 6 * MIB + 1)
  const to = nodes.map(({ address }) => address)
  await push(path, { to, shape: 'unicast', digest: 'blake3' }).result
  const empty = await world.node()
  // Of one host aria2c asks once at a time.
  let hosts = 0
  const open = async (at: WorldNode, peers: string[] = []): Promise<string> => {
    const one = await openDoor({ node: at }, { listen: `127.0.0.${++hosts}:0`, peers })
    world.defer(() => one.close())
    return one.address
  }
  const [first, second, third] = nodes as [WorldNode, WorldNode, WorldNode]
  const peers = [await open(second), await open(third), await open(empty), '127.0.0.1:1']
  const at = await open(first, peers)
  const url = `http://${at}/files/m.bin.meta4`
  const said = await fetch(url)
  expect(said.headers.get('content-type')).toBe('application/metalink4+xml')
  const named = [...(await said.text()).matchAll(/<url [^>]*>([^<]*)<\/url>/g)].map(
    ([, one]) => one,
  )
  const having = [at, ...peers.slice(0, 2)].map((one) => `http://${one}/files/m.bin`)
  expect(named.sort()).toEqual(having.sort())
  const directory = join(world.dir, 'brought')
  const how = ['--no-conf', '--follow-metalink=mem', '--file-allocation=none', '-q']
  const each = ['-s3', '-x1', '-k1M', '-d', directory]
  const aria2c = new Running('aria2c', [...how, ...each, url])
  await aria2c.succeed('aria2c')
  expect(readFileSync(join(directory, 'm.bin')).equals(bytes)).toBe(true)
  const served = nodes.map((one) => one.status().counters['servedBytes'] ?? 0)
  expect(served.filter((one) => one > 0).length).toBeGreaterThan(1)
  expect((await fetch(`http://${at}/files/none.meta4`)).status).toBe(404)
})
