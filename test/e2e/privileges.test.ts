/** `fr node --drop-privileges`, as root and not: what the process may do while it serves. */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { copyDigest, root, sha256, World } from './cli-world.js'
import { engines } from './engines.js'

let world: World
beforeAll(() => {
  world = new World()
})
afterAll(() => world.close())

const isRoot = process.getuid?.() === 0
/** What other users may load. */
const isOpen = [root, process.execPath].every((path) => {
  const above = path.split('/').map((_, at, all) => all.slice(0, at + 1).join('/') || '/')
  return above.every((one) => (statSync(one).mode & 0o005) === 0o005)
})
const user = 'nobody'

/** Of one of all users, by the system. */
function idsOf(name: string): { uid: number; gid: number } {
  const [uid, gid] = ['-u', '-g'].map((which) =>
    Number(execFileSync('id', [which, name], { encoding: 'utf8' })),
  )
  return { uid: uid as number, gid: gid as number }
}

/** A port that only root may have. */
async function reservedPort(): Promise<number> {
  for (let port = 1_023; port > 512; port--) {
    const server = createServer()
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false))
      server.listen(port, '127.0.0.1', () => resolve(true))
    })
    await new Promise((resolve) => server.close(resolve))
    if (isFree) return port
  }
  throw new Error('no port below 1024 is free')
}

/** A directory of that user, in one that others pass through. */
function dataOf(name: string, owner = user): string {
  const data = world.path(name)
  chmodSync(world.directory, 0o711)
  mkdirSync(data, { mode: 0o755 })
  const { uid, gid } = idsOf(owner)
  chownSync(data, uid, gid)
  return data
}

const canTry = isRoot && isOpen && process.platform === 'linux'
describe.runIf(canTry)('fr node started by root', () => {
  it.each(engines)('serves as the user alone, with the %s engine', async (engine) => {
    const { uid, gid } = idsOf(user)
    const data = dataOf(`as-${engine}`)
    const listen = `127.0.0.1:${await reservedPort()}`
    const node = world.fr([
      ...['node', '--listen', listen, '--data', data, '--engine', engine, '--json'],
      ...['--drop-privileges', user],
    ])
    await node.until('it listens', () => node.lines.length > 0)
    const content = world.file('a.bin', 3_000_000)
    const pushed = await world.run(['push', 'a.bin', '--to', listen, '--as', 'in/a.bin'])
    expect([pushed.status, pushed.stderr]).toEqual([0, expect.any(String)])
    expect(copyDigest(Object.assign(node, { data, address: listen }), 'in/a.bin')).toBe(
      sha256(content),
    )
    const tasks = `/proc/${node.child.pid}/task`
    const threads = readdirSync(tasks)
    expect(threads.length).toBeGreaterThan(4)
    for (const thread of threads) {
      const status = readFileSync(join(tasks, thread, 'status'), 'utf8')
      const of = (field: string) => status.match(new RegExp(`^${field}:\\s*(.*)$`, 'm'))?.[1]
      expect(of('Uid')).toBe(Array(4).fill(uid).join('\t'))
      expect(of('Gid')).toBe(Array(4).fill(gid).join('\t'))
      expect(of('Groups')?.trim()).toBe(`${gid}`)
      for (const set of ['CapPrm', 'CapEff', 'CapInh'])
        expect([set, of(set)]).toEqual([set, '0'.repeat(16)])
    }
    const made = readdirSync(data, { recursive: true, encoding: 'utf8' })
    expect(made).toContain('in/a.bin')
    const owners = made.map((name) => lstatSync(join(data, name)).uid)
    expect(new Set(owners)).toEqual(new Set([uid]))
    node.kill('SIGTERM')
    expect(await node.ended).toBe(143)
  })

  it('refuses by name to be nobody that there is, root, or without a directory', async () => {
    const run = async (name: string, data: string) => {
      const args = ['node', '--listen', '127.0.0.1:0', '--data', data]
      const { status, stderr } = await world.run([...args, '--drop-privileges', name])
      return [status, stderr.split('\n').find((line) => line.startsWith('fr node: '))]
    }
    const data = dataOf('of root', 'root')
    const failed = (text: string) => [1, expect.stringContaining(text)]
    const code = 'fr node: ERR_FR_PRIVILEGES: '
    expect(await run('no-such-user', data)).toEqual(failed(`${code}there is no user "no-such-`))
    expect(await run('root', data)).toEqual(failed(`${code}root is root`))
    expect(await run(user, data)).toEqual(failed('fr node: ERR_FR_DATA_DIR: '))
    expect(readdirSync(data)).toEqual([])
  })
})

describe('fr node started by another user', () => {
  it.skipIf(process.platform !== 'linux')('becomes nobody else, and says why', async () => {
    const data = world.path('never made')
    const as = isRoot ? ['setpriv', `--reuid=${user}`, '--clear-groups'] : []
    const args = ['node', '--listen', '127.0.0.1:0', '--data', data, '--drop-privileges', user]
    const node = world.fr(args, { prefix: as })
    expect(await node.ended).toBe(1)
    expect(node.stderr).toContain(
      `fr node: ERR_FR_PRIVILEGES: only root can become ${user}: start it as root`,
    )
  })
})
