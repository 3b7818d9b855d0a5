/** Files of a node in HTTP servers of others, and behind nginx. */
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import {
  createServer,
  get,
  type IncomingMessage,
  type RequestListener,
  type Server,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { getRequestListener } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Running } from '../../bench/running.mjs'
import { createReplicaHandler, serveFile } from '../../src/doors/index.js'
import { until, World, type WorldNode } from './push-support.js'

const world = new World('native')
const prefix = '/films/'
let node: WorldNode
let content: Buffer

beforeAll(async () => {
  node = await world.node()
  const file = world.file('a film.bin', 1024 * 1024 + 9)
  content = file.content
  await world.pushed(file.path, node.address)
})
afterAll(() => world.dispose())

interface Answer {
  readonly status: number | undefined
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

async function ask(at: object, path: string, headers = {}): Promise<Answer> {
  const asked = get({ ...at, path, headers, agent: false })
  const [said] = (await once(asked, 'response')) as [IncomingMessage]
  const chunks: Buffer[] = []
  for await (const chunk of said) chunks.push(chunk as Buffer)
  return { status: said.statusCode, headers: said.headers, body: Buffer.concat(chunks) }
}

async function listening(server: Server): Promise<{ host: string; port: number }> {
  if (!server.listening) await once(server.listen(0, '127.0.0.1'), 'listening')
  world.defer(() => server.close())
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
}

/** Each has a page of its own, `/own`, and answers `not here` to what nobody has. */
const servers: Record<string, () => Promise<Server>> = {
  'node:http': async () => {
    const handler = createReplicaHandler({ node, prefix })
    return createServer((request, response) => {
      if (request.url === '/own') response.end('own')
      else void handler(request, response, () => response.writeHead(404).end('not here'))
    })
  },
  Express: async () => {
    const app = express()
    app.get('/own', (_, response) => void response.send('own'))
    app.use('/films', createReplicaHandler({ node }))
    app.use((_, response) => void response.status(404).send('not here'))
    return createServer(app as RequestListener)
  },
  Fastify: async () => {
    const app = fastify()
    const handler = createReplicaHandler({ node, prefix })
    app.get('/own', () => 'own')
    app.get('/films/*', (request, reply) => {
      reply.hijack()
      return handler(request.raw, reply.raw, () => reply.raw.writeHead(404).end('not here'))
    })
    await app.ready()
    return app.server
  },
  hono: async () => {
    const app = new Hono<{ Bindings: { incoming: IncomingMessage; outgoing: never } }>()
    const handler = createReplicaHandler({ node, prefix })
    app.get('/own', (c) => c.text('own'))
    app.get('/films/*', async (c) => {
      let isElsewhere = false
      await handler(c.env.incoming, c.env.outgoing, () => {
        isElsewhere = true
      })
      return isElsewhere ? c.text('not here', 404) : RESPONSE_ALREADY_SENT
    })
    return createServer(getRequestListener(app.fetch))
  },
}

describe.each(Object.keys(servers))('in a server of %s', (name) => {
  it('files are sent past JavaScript, and the rest is the server’s', async () => {
    const at = await listening(await (servers[name] as () => Promise<Server>)())
    const whole = await ask(at, '/films/a%20film.bin')
    expect({ status: whole.status, isRight: whole.body.equals(content) }).toEqual({
      ...{ status: 200, isRight: true },
    })
    const etag = whole.headers.etag as string
    const part = await ask(at, '/films/a%20film.bin', { range: 'bytes=5-99', 'if-range': etag })
    expect([part.status, part.body.equals(content.subarray(5, 100))]).toEqual([206, true])
    expect((await ask(at, '/films/a%20film.bin', { 'if-none-match': etag })).status).toBe(304)
    expect((await ask(at, '/own')).body.toString()).toBe('own')
    for (const path of ['/films/none', '/films/%00', '/films/..%2f..%2fetc/passwd']) {
      const { status, body } = await ask(at, path)
      expect([path, status, body.toString()]).toEqual([path, 404, 'not here'])
    }
    expect(node.status().counters['payloadBytesInJavaScript']).toBe(0)
  })
})

it('a file of a name is sent, and problems are told, without a handler', async () => {
  const server = createServer((request, response) => {
    void serveFile(response, decodeURIComponent((request.url ?? '').slice(1)), { node })
  })
  const at = await listening(server)
  expect((await ask(at, '/a%20film.bin')).body.equals(content)).toBe(true)
  const { status, headers, body } = await ask(at, '/none')
  expect([status, headers['content-type']]).toEqual([404, 'application/problem+json'])
  expect(JSON.parse(body.toString())).toMatchObject({ code: 'ERR_FR_NOT_HELD', retryable: false })
})

it('nginx sends what the node has, where it is told to', async () => {
  const handler = createReplicaHandler({ node, prefix, accel: '/held/' })
  const app = await listening(createServer((request, response) => void handler(request, response)))
  const socketPath = join(world.dir, 'n.sock')
  const path = (name: string): string => join(world.dir, `nginx-${name}`)
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  writeFileSync(
    path('conf'),
    `daemon off; master_process off; error_log stderr error; pid ${path('pid')};
    events {}
    http {
      access_log off;
      ${temporary.map((name) => `${name}_temp_path ${path(name)};`).join('\n')}
      server {
        listen unix:${socketPath};
        location /held/ { internal; alias ${node.dataDir}/; }
        location / { proxy_pass http://127.0.0.1:${app.port}; }
      }
    }`,
  )
  const before = node.status().counters['servedBytes']
  const nginx = new Running('nginx', ['-p', world.dir, '-c', path('conf'), '-e', 'stderr'])
  world.defer(() => nginx.stop())
  const isUp = (): Promise<boolean> =>
    ask({ socketPath }, '/films/none').then(
      () => true,
      () => false,
    )
  await until(isUp, 'nginx answers')
  const whole = await ask({ socketPath }, '/films/a%20film.bin')
  expect([whole.status, whole.body.equals(content)]).toEqual([200, true])
  expect(whole.headers['x-accel-redirect']).toBeUndefined()
  const part = await ask({ socketPath }, '/films/a%20film.bin', { range: 'bytes=7-17' })
  expect([part.status, part.body.equals(content.subarray(7, 18))]).toEqual([206, true])
  for (const inside of ['/held/a%20film.bin', '/films/none'])
    expect((await ask({ socketPath }, inside)).status).toBe(404)
  expect(node.status().counters['servedBytes']).toBe(before)
})
