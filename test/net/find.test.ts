/**
 * Nodes by a name of DNS, asked of a real name server in a namespace: SRV records, addresses, and
 * names that have neither.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Running, until } from '../../bench/running.mjs'
import { type NodeProcess, sameContent, Workspace } from '../../bench/workspace.mjs'

const namespace = `fr-find-${process.pid}`
/** What `ip netns exec` puts in the place of /etc/resolv.conf. */
const etc = path.join('/etc/netns', namespace)
const prefix = ['ip', 'netns', 'exec', namespace]
const ports = [7411, 7412, 7413] as const

let workspace: Workspace
let server: Running
let nodes: NodeProcess[]

const ip = (...args: string[]): Buffer => execFileSync('ip', args)

/** `fr` in the namespace. */
async function fr(...args: string[]) {
  const run = workspace.fr(args, { prefix })
  const status = await run.ended
  return { status, stdout: run.stdout, stderr: run.stderr }
}

beforeAll(async () => {
  workspace = new Workspace(64 * 1024 * 1024)
  ip('netns', 'add', namespace)
  ip('-n', namespace, 'link', 'set', 'lo', 'up')
  mkdirSync(etc, { recursive: true })
  writeFileSync(path.join(etc, 'resolv.conf'), 'nameserver 127.0.0.1\nsearch lan\n')
  const records = [
    ...ports.slice(0, 2).map((port) => `--srv-host=_fr._tcp.fleet.lan,node.lan,${port},${port}`),
    '--srv-host=_fr._tcp.other.lan,gone.lan,7499,1',
    ...['127.0.0.1', '127.0.0.2', '127.0.0.3', '::1'].map((at) => `--host-record=pods.lan,${at}`),
    '--host-record=node.lan,127.0.0.1',
  ]
  const alone = ['--no-hosts', '--no-resolv', '--conf-file=/dev/null', '--pid-file=', '--user=root']
  server = workspace.start('dnsmasq', ['--keep-in-foreground', ...alone, ...records], { prefix })
  const listen = (port: number, host: string) =>
    workspace.startNode({ name: `n${host}-${port}`, listen: `${host}:${port}`, prefix })
  nodes = await Promise.all([
    ...ports.slice(0, 2).map((port) => listen(port, '127.0.0.1')),
    ...['127.0.0.1', '127.0.0.2', '127.0.0.3'].map((host) => listen(ports[2], host)),
  ])
  const answers = () => {
    const ask = [...prefix.slice(1), 'getent', 'ahosts', 'node.lan']
    try {
      return execFileSync('ip', ask).length > 0
    } catch {
      return false
    }
  }
  await until(answers, 'the name server answers', 60_000, 100)
})

afterAll(async () => {
  server?.child.kill('SIGTERM')
  await workspace?.close()
  ip('netns', 'del', namespace)
  rmSync(etc, { recursive: true, force: true })
})

it('pushes to all nodes of SRV records, each at its own port', async () => {
  const content = workspace.path('a.bin')
  writeFileSync(content, Buffer.alloc(300_000, 'abc'))
  const pushed = await fr('push', content, '--to', 'dns:fleet.lan', '--json')
  expect(pushed.status).toBe(0)
  for (const { data } of nodes.slice(0, 2))
    expect(sameContent(content, path.join(data, 'a.bin'))).toBe(true)
})

it('takes addresses of one family where there is no SRV record, or a port is given', async () => {
  const shown = await fr('status', `dns:pods:${ports[2]}`)
  expect(shown.status).toBe(0)
  const nodes = shown.stdout
    .split('\n')
    .slice(1)
    .map((line) => line.split(' ')[0])
  expect(nodes).toEqual(
    ['127.0.0.1', '127.0.0.2', '127.0.0.3', ''].map((host) => host && `${host}:${ports[2]}`),
  )
})

it('may stand in a nodes file, and beside other nodes, each of which counts once', async () => {
  const file = workspace.path('nodes.txt')
  writeFileSync(file, `node.lan:${ports[0]} site=a\ndns:fleet.lan site=b\n`)
  const { status, stdout } = await fr('status', '--nodes', file)
  expect([
    status,
    stdout
      .split('\n')
      .slice(1, -1)
      .map((line) => line.split(' ')[0]),
  ]).toEqual([0, ports.slice(0, 2).map((port) => `node.lan:${port}`)])
})

it('says what a name lacks, and that nobody is there', async () => {
  const none = await fr('status', 'dns:nobody.lan')
  expect([none.status, none.stderr]).toEqual([
    1,
    'fr status: ERR_FR_UNREACHABLE: the name nobody.lan has neither SRV records nor addresses\n',
  ])
  const service = await fr('push', workspace.path('a.bin'), '--to', 'dns:_x._tcp.fleet.lan')
  expect(service.stderr).toContain('the name _x._tcp.fleet.lan has no SRV record')
  const away = await fr('status', 'dns:other.lan')
  expect(away.stderr).toContain('the name gone.lan cannot be looked up')
})
