/** Keys are in no log, result, trace, status, error, argv or environment of a process. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { listOf, MIB, World } from './cli-world.js'

let world: World
afterEach(() => world.close())

/** How bytes and texts are written anywhere. */
function spellings(secret: Buffer | string): string[] {
  const bytes = Buffer.from(secret)
  const encodings = (['hex', 'base64', 'base64url'] as const).map((one) => bytes.toString(one))
  const all = [...encodings, bytes.toString('latin1')].map((one) => one.replace(/=+$/, ''))
  return [...new Set([...all, JSON.stringify(bytes.toString('latin1')).slice(1, -1)])]
}

/** Of a file with a private key in PEM: the key itself, the last 32 bytes. */
function keyIn(path: string): Buffer {
  const [, base64 = ''] =
    /-----BEGIN PRIVATE KEY-----([^-]*)-/.exec(readFileSync(path, 'utf8')) ?? []
  return Buffer.from(base64, 'base64').subarray(-32)
}

it('whatever is asked, sealed, traced or refused', async () => {
  world = new World()
  const key = `cluster-${'k'.repeat(20)}-${process.pid}-secret`
  const home = world.makeDirectory('home')
  const other = world.path('other.key')
  writeFileSync(world.path('key'), `${key}\n`, { mode: 0o600 })
  writeFileSync(other, `${key.replace('secret', 'wrong!')}\n`, { mode: 0o600 })
  const env = { FR_KEY: undefined, XDG_CONFIG_HOME: home }
  const keyed = ['--key-file', world.path('key')]
  const log = ['--log-level', 'debug', '--log-format', 'json']
  const nodes = []
  for (const name of ['a', 'b']) nodes.push(await world.node(name, [...keyed, ...log], env))
  world.file('a.bin', 2 * MIB)
  mkdirSync(world.path('empty'))
  const [node] = nodes as [(typeof nodes)[number]]
  const said: string[] = []
  const run = async (...args: string[]) => {
    const { status, stdout, stderr } = await world.run(args, env)
    said.push(stdout, stderr)
    return status
  }
  const to = ['--to', listOf(nodes)]
  const pushed = [
    'push',
    'a.bin',
    ...to,
    '--seal',
    '--trace',
    'trace',
    '--json',
    '--shape',
    'group',
  ]
  expect(await run(...pushed, ...keyed, ...log)).toBe(0)
  expect(await run('push', 'a.bin', ...to, '--key-file', other, '--retries', '0')).not.toBe(0)
  expect(await run('status', node.address, ...keyed, '--json')).toBe(0)
  expect(await run('get', 'a.bin', '--from', node.address, '-o', 'got', ...keyed)).toBe(0)
  expect(await run('push', 'a.bin', ...to, '--key-file', world.path('empty'))).not.toBe(0)
  expect(existsSync(world.path('got'))).toBe(true)
  said.push(readFileSync(world.path('trace'), 'utf8'))
  for (const { child, stdout, stderr } of nodes) {
    said.push(stdout, stderr)
    for (const what of ['cmdline', 'environ'])
      said.push(readFileSync(`/proc/${child.pid}/${what}`, 'latin1'))
  }
  const text = said.join('\n')
  // All of it is there, and what it is searched for would be found.
  for (const word of ['published', 'ERR_FR_AUTH']) expect(text).toContain(word)
  expect(spellings(key)).toContain(key)
  const secrets = [
    key,
    keyIn(join(home, 'fastreplica', 'client-key')),
    ...nodes.map(({ data }) => keyIn(join(data, '.fastreplica', 'node-key'))),
  ]
  for (const secret of secrets) {
    expect(secret.length).toBeGreaterThanOrEqual(32)
    for (const spelling of spellings(secret)) expect(text.includes(spelling)).toBe(false)
  }
})
