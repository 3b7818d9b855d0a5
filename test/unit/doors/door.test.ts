/** A door over real sockets: who is let in, and what is refused before anybody looks at it. */
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { httpToken } from '../../../src/api/keys.js'
import type { FrNode } from '../../../src/api/types.js'
import { doorLimits } from '../../../src/base/door-limits.js'
import { type Door, openDoor } from '../../../src/doors/index.js'

const key = 'k'.repeat(43)
// Nothing that is asked here gets as far as the node.
const status = () => ({ dataDir: '', readOnly: true, relayOnly: false })
const behind = { node: { address: '127.0.0.1:1', status } as unknown as FrNode }
const page = 'https://page.example:8443'
let door: Door
beforeAll(async () => {
  door = await openDoor(behind, {
    listen: '127.0.0.1:0',
    key,
    hosts: ['Files.Example'],
    origins: [page],
  })
})
afterAll(() => door.close())

interface Answer {
  readonly status: number
  readonly head: string
  readonly body: string
}

/** Sends the lines as they are and reads until the door closes the connection. */
function exchange(lines: readonly string[]): Promise<Answer> {
  const { hostname, port } = new URL(`http://${door.address}`)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(lines.join('\r\n')))
    let text = ''
    socket.setEncoding('utf8')
    socket.on('data', (chunk) => {
      text += chunk
    })
    socket.on('error', reject)
    socket.on('close', () => {
      const [head = '', body = ''] = text.split('\r\n\r\n')
      resolve({ status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]), head, body })
    })
  })
}

const ask = (target: string, ...headers: readonly string[]): Promise<Answer> =>
  exchange([`GET ${target} HTTP/1.1`, ...headers, 'Connection: close', '', ''])
const host = 'Host: localhost'

describe('a door', () => {
  it('says that it lives, to anybody', async () => {
    const { status, body } = await ask('/healthz', host)
    expect({ status, body: JSON.parse(body) }).toEqual({ status: 200, body: { status: 'ok' } })
  })

  it('answers for errors with a problem that has a code of the table', async () => {
    const { status, head, body } = await ask('/nothing', host)
    expect(head).toContain('application/problem+json')
    expect(head).toContain('x-content-type-options: nosniff')
    expect({ status, ...JSON.parse(body) }).toMatchObject({
      ...{ status: 404, code: 'ERR_FR_REQUEST', retryable: false },
      type: '/api/v1/problems/ERR_FR_REQUEST',
    })
  })

  it.each([
    ['127.0.0.1:80', 200],
    ['[::1]', 200],
    ['10.1.2.3', 200],
    ['LOCALHOST.', 200],
    ['files.example:8080', 200],
    ['evil.example', 421],
    ['localhost.evil.example', 421],
    ['127.0.0.1.evil.example', 421],
    ['2130706433', 400],
    ['', 400],
    ['a@localhost', 400],
  ])('takes Host %s or not', async (name, status) => {
    expect((await ask('/healthz', `Host: ${name}`)).status).toBe(status)
  })

  it('takes one Host', async () => {
    expect((await ask('/healthz')).status).toBe(400)
    expect((await ask('/healthz', host, 'Host: evil.example')).status).toBe(400)
  })

  it.each([
    [[], 404],
    [['Origin: http://localhost'], 404],
    [['Origin: http://localhost:1'], 403],
    [['Origin: http://evil.example'], 403],
    [['Origin: null'], 403],
    [['Origin: file://'], 403],
    [['Sec-Fetch-Site: same-origin'], 404],
    [['Sec-Fetch-Site: cross-site'], 403],
  ])('takes what changes something from no page of others: %s', async (headers, status) => {
    const lines = [host, ...headers, 'Content-Length: 0', 'Connection: close', '', '']
    expect((await exchange(['POST /nothing HTTP/1.1', ...lines])).status).toBe(status)
  })

  it('lets pages that are listed ask, and says so to no others', async () => {
    const preflight = (origin: string) =>
      exchange([
        ...['OPTIONS /nothing HTTP/1.1', host, `Origin: ${origin}`, 'Connection: close'],
        ...['Access-Control-Request-Method: PUT', '', ''],
      ])
    const may = await preflight(page)
    expect(may.status).toBe(204)
    expect(may.head).toContain(`access-control-allow-origin: ${page}\r\n`)
    expect(may.head).toMatch(/allow-methods: .*PUT/)
    expect(may.head).toMatch(/allow-headers: authorization,/)
    expect(may.head).not.toMatch(/allow-credentials|allow-origin: \*/)
    for (const other of ['https://page.example', 'http://page.example:8443', 'null', '*'])
      expect((await preflight(other)).head).not.toContain('access-control')
    const asked = await ask('/healthz', host, `Origin: ${page}`, 'Sec-Fetch-Site: cross-site')
    expect(asked.head).toContain(`access-control-allow-origin: ${page}\r\n`)
    expect(asked.head).toContain('vary: origin')
    expect((await ask('/healthz', host, 'Origin: https://x')).head).not.toContain('allow-origin')
    const changing = ['POST /nothing HTTP/1.1', host, `Origin: ${page}`, 'Content-Length: 0']
    expect((await exchange([...changing, 'Connection: close', '', ''])).status).toBe(404)
  })

  it.each(['*', 'null', 'page.example', 'https://a/', 'https://a/b', 'ftp://a', 'https://A'])(
    'takes no %s for an origin',
    async (origin) => {
      const options = { listen: '127.0.0.1:0', key, origins: [origin] }
      await expect(openDoor(behind, options)).rejects.toThrow(TypeError)
    },
  )

  it('takes the token of the key, and no other', async () => {
    const bearer = (token: string) => ask('/nothing', host, `Authorization: Bearer ${token}`)
    expect((await bearer(httpToken(key))).status).toBe(404)
    for (const wrong of [httpToken('x'.repeat(43)), key, '', 'é', 'a'.repeat(2_000)])
      expect((await bearer(wrong)).status).toBe(401)
    expect((await ask('/nothing', host, 'Authorization: Basic eDp5')).status).toBe(401)
  })

  it('refuses targets that are no path, or too long', async () => {
    for (const target of ['http://localhost/healthz', '*', 'healthz'])
      expect((await ask(target, host)).status).toBe(400)
    const long = `/${'a'.repeat(doorLimits.targetBytes)}`
    expect((await ask(long, host)).status).toBe(414)
  })

  it('refuses too many headers, headers that are too long, and what is no request', async () => {
    const many = Array.from({ length: doorLimits.headers + 1 }, (_, at) => `X-${at}: 1`)
    expect((await ask('/healthz', host, ...many)).status).toBe(431)
    const long = `X: ${'a'.repeat(doorLimits.headerBytes)}`
    expect((await ask('/healthz', host, long)).status).toBe(431)
    const refused = await exchange(['nonsense', '', ''])
    expect(refused.status).toBe(400)
    expect(JSON.parse(refused.body)).toMatchObject({ code: 'ERR_FR_REQUEST', status: 400 })
    const smuggled = ['POST / HTTP/1.1', host, 'Content-Length: 3']
    expect((await exchange([...smuggled, 'Transfer-Encoding: chunked', '', 'x'])).status).toBe(400)
  })

  it('asks for a body only where it wants one', async () => {
    const lines = [host, 'Content-Type: application/json', 'Content-Length: 5', 'Connection: close']
    const wanting = [...lines, 'Expect: 100-continue', '', '']
    const refused = await exchange(['POST /nothing HTTP/1.1', ...wanting])
    expect(refused.status).toBe(404)
    const other = [...lines, 'Expect: tea', '', '']
    expect((await exchange(['POST /nothing HTTP/1.1', ...other])).status).toBe(417)
  })

  it('outlives connections that are cut at every byte', async () => {
    const { hostname, port } = new URL(`http://${door.address}`)
    const body = '{"upBytesPerSecond":65536}'
    const head = ['PATCH /api/v1/node/limits HTTP/1.1', host, 'Content-Type: application/json']
    const text = [...head, `Content-Length: ${body.length}`, '', body].join('\r\n')
    const cut = (bytes: number): Promise<void> =>
      new Promise((resolve) => {
        const socket = connect(Number(port), hostname, () => {
          socket.write(text.slice(0, bytes), () => socket.destroy())
        })
        socket.on('error', () => {}).on('close', () => resolve())
      })
    for (let bytes = 1; bytes < text.length; bytes += 16)
      await Promise.all(Array.from({ length: 16 }, (_, at) => cut(bytes + at)))
    expect((await ask('/healthz', host)).status).toBe(200)
  })

  it('only reads its health', async () => {
    const lines = [host, 'Content-Length: 0', 'Connection: close', '', '']
    const { status, head } = await exchange(['POST /healthz HTTP/1.1', ...lines])
    expect(status).toBe(405)
    expect(head).toContain('allow: GET, HEAD')
  })
})

it('is opened to everybody by nobody', async () => {
  await expect(openDoor(behind, { listen: '0.0.0.0:0' })).rejects.toMatchObject({
    code: 'ERR_FR_OPEN',
  })
  await expect(openDoor(behind, { listen: 'nowhere' })).rejects.toThrow(TypeError)
  await expect(openDoor(behind, { listen: door.address, key })).rejects.toMatchObject({
    code: 'ERR_FR_LISTEN',
  })
})

it('ends connections that are open', async () => {
  const other = await openDoor(behind, { listen: '127.0.0.1:0' })
  const { port } = new URL(`http://${other.address}`)
  const socket = connect(Number(port), '127.0.0.1')
  const ended = new Promise((resolve) => socket.on('error', () => {}).on('close', resolve))
  await new Promise((resolve) => socket.on('connect', resolve))
  await other.close()
  await other.close()
  await ended
})
