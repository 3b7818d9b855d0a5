/** How a node reports peers with a wrong key, health probes, and a lack of descriptors. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type ServingNode, World } from './cli-world.js'

let world: World
let node: ServingNode
const sockets: Socket[] = []

beforeEach(async () => {
  world = new World()
  node = await world.node('n1')
})
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await world.close()
})

async function open(): Promise<Socket> {
  const [host, port] = node.address.split(':') as [string, string]
  const socket = connect(Number(port), host)
  sockets.push(socket.on('error', () => {}))
  await once(socket, 'connect')
  return socket
}

async function counters(): Promise<Record<string, number>> {
  const { lines } = await world.run(['status', node.address, '--json'])
  return lines[0]?.['counters'] as Record<string, number>
}

/** Lowest free descriptor number; those in use only briefly count as free. */
async function lowestFree(pid: number): Promise<number> {
  const found = (): number[] => readdirSync(`/proc/${pid}/fd`).map(Number)
  let used = found()
  for (let looks = 0; looks < 20; looks++) {
    await sleep(10)
    const now = found()
    used = used.filter((number) => now.includes(number))
  }
  let free = 0
  while (used.includes(free)) free++
  return free
}

describe('a node', () => {
  it('names peers with a wrong key once a minute, and counts them all', async () => {
    for (let i = 0; i < 3; i++) {
      const wrong = await world.run(['status', node.address], { FR_KEY: 'x'.repeat(43) })
      expect(wrong.stderr).toContain('ERR_FR_AUTH')
    }
    await node.until('warning', () => node.stderr.includes('event=wrong-key'))
    const lines = node.stderr.split('\n').filter((line) => line.includes('wrong-key'))
    expect(lines).toEqual([
      expect.stringMatching(/level=warn event=wrong-key peer=127\.0\.0\.1:\d+ text=/),
    ])
    expect(await counters()).toMatchObject({ authFailures: 3, refusedConnections: 3 })
  })

  it('says nothing of health probes, and of what is no handshake', async () => {
    const before = node.stderr
    for (const bytes of ['', 'GET / HTTP/1.1\r\n\r\n', '\0\0\0\0', '\x02\0\0\0{}']) {
      const socket = (await open()).resume()
      const ended = once(socket, 'close')
      socket.end(bytes)
      await ended
    }
    expect(await counters()).toMatchObject({ authFailures: 0, refusedConnections: 4 })
    expect(node.stderr).toBe(before)
  })

  it('without descriptors says so, on both sides, and serves again when it has some', async () => {
    writeFileSync(world.path('f.bin'), 'some bytes')
    const { pid } = node.child
    // One number is left, and the next connection takes it.
    const free = await lowestFree(pid as number)
    execFileSync('prlimit', ['--pid', String(pid), `--nofile=${free + 1}:`])
    const push = ['push', 'f.bin', '--to', node.address]
    const refused = await world.run([...push, '--retries', '0', '--connect-timeout', '4s'])
    expect(refused.stderr).toContain('ERR_FR_LIMIT: the peer says: too many open files at the node')
    await node.until('warning', () => node.stderr.includes('event=too-many-files'))
    execFileSync('prlimit', ['--pid', String(pid), '--nofile=1024:'])
    const served = await world.run(push)
    expect([served.status, served.stderr]).toEqual([0, expect.any(String)])
  })
})
