/** `fr deploy` to a real sshd: the package is sent once; nodes start, are replaced, and end. */
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { freePort } from '../../bench/programs.mjs'
import { copyDigest, sha256, World } from './cli-world.js'
import { until } from './push-support.js'

let world: World
let ssh: string
/** Of the nodes: nobody else binds them meanwhile. */
let ports: number[]
const dir = () => path.join(world.directory, 'there')
const hosts = () => ports.map((port) => `machine:${port}`).join()

const deploy = (args: readonly string[]) =>
  world.run(['deploy', '--dir', dir(), '--ssh', ssh, '--json', ...args])

beforeAll(async () => {
  world = new World()
  const at = (name: string) => path.join(world.directory, name)
  const sshPort = await freePort()
  ports = [await freePort(), await freePort()]
  for (const name of ['host', 'user'])
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at(name)])
  writeFileSync(at('authorized'), readFileSync(at('user.pub')))
  chmodSync(at('authorized'), 0o600)
  const server = [
    ...[`HostKey ${at('host')}`, `AuthorizedKeysFile ${at('authorized')}`, `Port ${sshPort}`],
    ...['StrictModes no', 'UsePAM no', 'PidFile none', 'PasswordAuthentication no'],
    'ListenAddress 127.0.0.1',
  ]
  writeFileSync(at('sshd_config'), `${server.join('\n')}\n`)
  const hosts = {
    machine: `HostName 127.0.0.1\n Port ${sshPort}\n IdentityFile ${at('user')}`,
    away: 'HostName 127.0.0.1\n Port 1',
    '*': `IdentitiesOnly yes\n UserKnownHostsFile ${at('known')}\n StrictHostKeyChecking no`,
  }
  const config = Object.entries(hosts).map(([name, what]) => `Host ${name}\n ${what}\n`)
  writeFileSync(at('ssh_config'), config.join(''))
  ssh = `ssh -F ${at('ssh_config')}`
  // sshd must be started by its whole path, and drops rights in a directory of its own.
  mkdirSync('/run/sshd', { recursive: true })
  const daemon = world.start('/usr/sbin/sshd', ['-D', '-e', '-f', at('sshd_config')])
  await until(() => daemon.stderr.includes('listening'), 'sshd listens')
})
afterAll(async () => {
  await deploy([hosts(), '--stop'])
  await world.close()
})

it('copies the package, starts nodes that take a push, and replaces them', async () => {
  const first = await deploy([hosts(), '--', '--name', 'deployed'])
  expect([first.status, first.stderr]).toEqual([0, ''])
  const addresses = ports.map((port) => `127.0.0.1:${port}`)
  expect(first.lines.map(({ node }) => node).sort()).toEqual([...addresses].sort())

  const content = world.file('a.bin', 300_000)
  expect((await world.run(['push', 'a.bin', '--to', addresses.join()])).status).toBe(0)
  for (const port of ports) {
    const data = path.join(dir(), String(port), 'data')
    expect(copyDigest({ data } as never, 'a.bin')).toBe(sha256(content))
    const key = path.join(dir(), String(port), 'fr.key')
    expect(execFileSync('stat', ['-c', '%a', key], { encoding: 'utf8' }).trim()).toBe('600')
  }
  expect((await world.run(['status', addresses[0] as string])).stdout).toContain('deployed')

  const [port = 0] = ports
  const pid = () => readFileSync(path.join(dir(), String(port), 'node.pid'), 'utf8').trim()
  const before = pid()
  const again = await deploy([`machine:${port}`])
  expect(again.lines).toMatchObject([{ event: 'deployed', isSent: false }])
  expect(pid()).not.toBe(before)
  await until(() => !existsSync(`/proc/${before}`), 'the one before has ended')
  const [id = '', ...others] = readdirSync(path.join(dir(), 'packages'))
  expect(others).toEqual([])
  const modules = readdirSync(path.join(dir(), 'packages', id, 'lib/node_modules'))
  expect(modules).toEqual(
    expect.arrayContaining(['fastreplica', 'commander', 'zod', 'xxhash-wasm']),
  )
  const held = await world.run(['ls', `127.0.0.1:${port}`, '--json'])
  expect(held.lines.map(({ name }) => name)).toEqual(['a.bin'])
})

it('ends the nodes that it started, and no other process', async () => {
  const stopped = await deploy([hosts(), '--stop'])
  expect(stopped.lines.map(({ hasRun }) => hasRun)).toEqual([true, true])
  // The process id of somebody else in the place of the node's.
  writeFileSync(path.join(dir(), String(ports[0]), 'node.pid'), `${process.pid}\n`)
  const none = await deploy([hosts(), '--stop'])
  expect(none.lines.map(({ hasRun }) => hasRun)).toEqual([false, false])
})

it('says why it cannot: no way there, a node that ends at once, no key', async () => {
  const away = await deploy([`away,machine:${ports[0]}`, '--stop'])
  expect(away.status).toBe(3)
  expect(away.lines.find(({ event }) => event === 'error')).toMatchObject({
    ...{ node: 'away:7400', code: 'ERR_FR_UNREACHABLE' },
  })
  const wrong = await deploy([`machine:${ports[0]}`, '--', '--no-such-option'])
  expect(wrong.status).toBe(1)
  expect(wrong.lines[0]?.['text']).toContain("unknown option '--no-such-option'")
  const keyless = await world.run(['deploy', 'machine', '--ssh', ssh], { FR_KEY: '' })
  expect(keyless.status).not.toBe(0)
})

it.each([
  ['a@-oProxyCommand=x', "no host begins with '-'"],
  ['a,a', 'named twice'],
  ['a --data b', 'absolute path'],
  ['a --stop -- --name b', '--stop starts nothing'],
])('refuses %s', async (line, text) => {
  const { status, stderr } = await world.run(['deploy', ...line.split(' ')])
  expect(status).toBe(2)
  expect(stderr).toContain(text)
})
