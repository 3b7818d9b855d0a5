/** `fr node` under a service manager: its notifications, as real unix datagrams. */
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Running, World } from './cli-world.js'

/** Binds the address as systemd does, and prints each datagram as one JSON line. */
const receiver = `
import json, socket, sys
at = sys.argv[1]
own = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
own.bind("\\0" + at[1:] if at.startswith("@") else at)
print(json.dumps("bound"), flush=True)
while True:
    print(json.dumps(own.recv(4096).decode()), flush=True)
`

let world: World
beforeAll(() => {
  world = new World()
})
afterAll(() => world.close())

async function listen(address: string): Promise<Running & { readonly told: () => unknown[] }> {
  const python = world.start('python3', ['-c', receiver, address])
  const told = () => python.lines.slice(1)
  await python.until('socket', () => python.lines.length > 0)
  return Object.assign(python, { told })
}

describe('NOTIFY_SOCKET', () => {
  it.each([
    ['a path', () => world.path('notify')],
    ['an abstract name', () => `@fr-notify-${process.pid}`],
  ])('that is %s hears that the node serves, and that it stops', async (_, name) => {
    const manager = await listen(name())
    const node = await world.node('data', [], { NOTIFY_SOCKET: name() })
    await manager.until('READY', () => manager.told().length === 1)
    expect(manager.told()).toEqual([`READY=1\nSTATUS=serves ${node.address}`])
    const [host, port] = node.address.split(':')
    const socket = createConnection(Number(port), host)
    await once(socket, 'connect')
    socket.destroy()
    node.kill('SIGTERM')
    expect(await node.ended).toBe(143)
    await manager.until('STOPPING', () => manager.told().length > 1)
    expect(manager.told().slice(1)).toEqual(['STOPPING=1'])
    expect(node.stderr).not.toContain('notify-failed')
    manager.kill('SIGKILL')
  })

  it('hears what the node does, and that it lives, as often as it wants to', async () => {
    const manager = await listen(world.path('watch'))
    const env = { NOTIFY_SOCKET: world.path('watch'), WATCHDOG_USEC: '200000' }
    // Its word is for another process.
    const silent = await world.node('other', [], { ...env, WATCHDOG_PID: '1' })
    const node = await world.node('data', [], env)
    await manager.until('beats', () => manager.told().length >= 6)
    const [ofSilent, ready, first, ...beats] = manager.told()
    expect(ofSilent).toBe(`READY=1\nSTATUS=serves ${silent.address}`)
    expect(ready).toBe(`READY=1\nSTATUS=serves ${node.address}`)
    expect(first).toBe(`WATCHDOG=1\nSTATUS=serves ${node.address}: idle; 0 files, 0 B`)
    for (const beat of beats) expect(beat).toBe('WATCHDOG=1')
    node.kill('SIGKILL')
    silent.kill('SIGKILL')
    manager.kill('SIGKILL')
  })

  it('hears nothing of a node that does not serve', async () => {
    const manager = await listen(world.path('refused'))
    const env = { NOTIFY_SOCKET: world.path('refused') }
    const node = await world.node('first')
    const run = await world.run(['node', '--listen', node.address, '--data', 'second'], env)
    expect(run.status).toBe(1)
    // Datagrams of one socket keep their order, so an earlier one would be here as well.
    const last = await world.node('third', [], env)
    await manager.until('a word', () => manager.told().length > 0)
    expect(manager.told()).toEqual([`READY=1\nSTATUS=serves ${last.address}`])
  })

  it.each([
    ['nobody listens at', '/nonexistent/socket', '(ENOENT)'],
    ['is of a kind that is not known', 'vsock:2:1', '(EAFNOSUPPORT)'],
  ])('that %s is logged, and the node serves', async (_, address, text) => {
    const node = await world.node('data', [], { NOTIFY_SOCKET: address })
    await node.until('a warning', () => node.stderr.includes('event=notify-failed'))
    expect(node.stderr).toMatch(/^time=\S+ level=warn event=notify-failed /m)
    expect(node.stderr).toContain(text)
    const status = await world.run(['status', node.address])
    expect(status).toMatchObject({ status: 0 })
    node.kill('SIGTERM')
    expect(await node.ended).toBe(143)
  })
})
