/** Which of a host's addresses a connection is made to. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, connect as netConnect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { freePort } from '../../../bench/programs.mjs'
import { connect, onlyLoopback } from '../../../src/net/connect.js'
import { cleanUp, keep, rejection, serve } from './handshake-support.js'

afterEach(cleanUp)

const within = { connectMs: 20_000 }

/**
 * A port at which 127.0.0.2 takes no more connections: its process is stopped and its queue full.
 * 127.0.0.1 does not listen there.
 */
async function silent(): Promise<number> {
  const port = await freePort()
  const script = `require('node:net')
    .createServer()
    .listen({ port: ${port}, host: '127.0.0.2', backlog: 1 }, () => console.log('listens'))`
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  await once(child.stdout, 'data')
  child.kill('SIGSTOP')
  while (!readFileSync(`/proc/${child.pid}/stat`, 'utf8').includes(') T ')) await sleep(5)
  const sockets = Array.from({ length: 8 }, () => keep(netConnect(port, '127.0.0.2')))
  // The kernel takes as many as its queue holds, and one; the others say nothing.
  await Promise.all(sockets.slice(0, 2).map((socket) => once(socket, 'connect')))
  return port
}

const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

async function listening(): Promise<number> {
  const address = await serve((socket) => void keep(socket))
  return Number(address.split(':')[1])
}

describe('connecting to a host with several addresses', () => {
  it('goes on to the next when one refuses', async () => {
    const target = { host: 'some-name', port: await listening() }
    const socket = keep(await connect(target, ['127.0.0.2', '127.0.0.3', '127.0.0.1'], within))
    expect(socket.remoteAddress).toBe('127.0.0.1')
    expect(socket.eventNames()).not.toContain('connect')
  })

  it('goes on to the next when one says nothing', async () => {
    const port = await silent()
    const server = createServer((socket) => void keep(socket)).listen(port, '127.0.0.1')
    await once(server, 'listening')
    const socket = keep(
      await connect({ host: 'some-name', port }, ['127.0.0.2', '127.0.0.1'], within),
    )
    expect(socket.remoteAddress).toBe('127.0.0.1')
    server.close()
  })

  it('fails when all have, and says how many were tried', async () => {
    const target = { host: 'some-name', port: await freePort() }
    const addresses = ['127.0.0.2', '127.0.0.3', '127.0.0.1']
    const error = await rejection(connect(target, addresses, within), 'ERR_FR_UNREACHABLE')
    expect(error.message).toBe(
      `cannot connect to some-name:${target.port} (ECONNREFUSED, 3 addresses tried)`,
    )
    expect(error).toMatchObject({ errno: 111, syscall: 'connect' })
  })

  it('is given up in time, and on demand', async () => {
    const target = { host: 'some-name', port: await silent() }
    const late = connect(target, ['127.0.0.2'], { connectMs: 30 })
    const error = await rejection(late, 'ERR_FR_UNREACHABLE')
    expect(error.message).toBe(
      `some-name:${target.port} did not accept the connection within 30 ms`,
    )
    const controller = new AbortController()
    const aborted = connect(target, ['127.0.0.2'], { ...within, signal: controller.signal })
    controller.abort()
    await rejection(aborted, 'ERR_FR_ABORTED')
  })

  it('without a key uses what is loopback of it', () => {
    expect(onlyLoopback('some-name', ['10.0.0.1', '::1', '127.0.0.1'])).toEqual([
      '::1',
      '127.0.0.1',
    ])
    expect(() => onlyLoopback('some-name', ['10.0.0.1'])).toThrow('some-name is not dialled')
  })
})
