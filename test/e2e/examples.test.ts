/** Everything under examples/ runs, or is read by the program that it is for. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseNodesFile } from '../../src/cli/arguments/addresses.js'
import { parseCommandLine } from '../../src/cli/program.js'
import { root, sha256, World } from './cli-world.js'

const example = (name: string) => join(root, 'examples', name)

let world: World
beforeAll(() => {
  world = new World()
})
afterAll(() => world.close())

describe('library.mjs', () => {
  it('puts a file in a directory', async () => {
    const content = world.file('model.bin', 3_000_000)
    const args = [example('library.mjs'), world.path('model.bin'), world.path('replica')]
    const run = world.start(process.execPath, args)
    expect([await run.ended, run.stderr]).toEqual([0, ''])
    const lines = run.stdout.trimEnd().split('\n')
    expect(lines.at(-1)).toMatch(/^complete blake3:[0-9a-f]{64}$/)
    for (const line of lines.slice(0, -1)) expect(line).toMatch(/^\d+ of 3000000 bytes$/)
    expect(sha256(readFileSync(world.path('replica', 'model.bin')))).toBe(sha256(content))
  })
})

describe('cancel.mjs', () => {
  it('cancels, and leaves nothing behind', async () => {
    world.file('large.bin', 64 * 1024 * 1024)
    const data = world.path('cancelled')
    const args = [example('cancel.mjs'), world.path('large.bin'), data]
    const run = world.start(process.execPath, args)
    expect([await run.ended, run.stderr]).toEqual([0, ''])
    expect(run.stdout).toBe('cancelled: changed my mind\n')
    expect(readdirSync(data)).toEqual(['.fastreplica'])
    const partials = join(data, '.fastreplica/partials')
    expect(existsSync(partials) ? readdirSync(partials) : []).toEqual([])
  })

  it('says how it is used', async () => {
    const run = world.start(process.execPath, [example('cancel.mjs')])
    expect(await run.ended).toBe(2)
    expect(run.stderr).toContain('usage: ')
  })
})

describe('express.mjs', () => {
  it('serves what is pushed to its node', async () => {
    const content = world.file('film.bin', 300_000)
    const app = world.start(process.execPath, [example('express.mjs'), world.path('served')])
    const said = () => /^files of (\S+) at (\S+)$/m.exec(app.stdout) ?? []
    await app.until('address', () => said().length > 0)
    const [, address = '', url = ''] = said()
    const pushed = await world.run(['push', world.path('film.bin'), '--to', address])
    expect([pushed.status, pushed.stderr]).toEqual([0, expect.any(String)])
    const answer = await fetch(`${url}film.bin`)
    const body = Buffer.from(await answer.arrayBuffer())
    expect([answer.status, body.equals(content)]).toEqual([200, true])
    app.kill('SIGTERM')
    expect(await app.ended).toBe(0)
  })
})

describe('wan/', () => {
  it('has every file copied to where the sets want it, once for each site', async () => {
    const run = world.start(process.execPath, [example('wan/run.mjs'), '1'])
    expect([await run.ended, run.stderr]).toEqual([0, ''])
    expect(run.stdout).toContain('models: 12 of 12 nodes, maps: 9 of 9 nodes')
    const crossed = (link: string) =>
      Number(new RegExp(`^${link}: ([\\d.]+) MB`, 'm').exec(run.stdout)?.[1])
    // Four nodes of each site want all of it. What a copy that fails had of a block comes again.
    for (const megabytes of [crossed('ams-fra'), crossed('fra-sin')]) {
      expect(megabytes).toBeGreaterThanOrEqual(1)
      expect(megabytes).toBeLessThan(1.2)
    }
  })
})

describe('models/', () => {
  it('puts a model on nodes, of which the client of a hub reads it', async () => {
    const run = world.start(process.execPath, [example('models/run.mjs'), '2'])
    expect([await run.ended, run.stderr]).toEqual([0, ''])
    const [pushed, read, ...rest] = run.stdout.trimEnd().split('\n')
    expect(pushed).toBe('team/tiny: complete at 2 of 2 nodes')
    expect(read).toMatch(/^read at 2 of 2 nodes, commit [0-9a-f]{40}$/)
    expect(rest).toEqual([])
  })
})

describe('cdn/', () => {
  it('goes on where a process of each kind is killed, with one edge', async () => {
    const run = world.start(process.execPath, [example('cdn/run.mjs'), '1'])
    expect([await run.ended, run.stderr]).toEqual([0, ''])
    for (const name of ['one', 'two', 'three'])
      expect(run.stdout).toContain(`${name}.bin: complete at 1 of 1 edges, `)
    expect(run.stdout).toMatch(/^killed edge1-distribute-[12], which distributes$/m)
    expect(run.stdout).toContain('killed edge1-serve-1, which served and controlled\n')
    expect(run.stdout).toContain('added edge1-serve-3, which serves all 3 files at once\n')
    expect(run.stdout).toContain('all reads were right: 0 wrong, 0 without answer\n')
  })
})

describe('edge/', () => {
  it('has a film fetched by the nodes that match, and read before all of it is there', async () => {
    const run = world.start(process.execPath, [example('edge/run.mjs')])
    expect([await run.ended, run.stderr]).toEqual([0, ''])
    expect(run.stdout).toContain('region=eu && tier=edge: 6 nodes, ')
    expect(run.stdout).toMatch(/^published \d+ bytes, mp4, from the front, [4-9] blocks$/m)
    expect(run.stdout).toMatch(/^ffprobe knew it by \d+ % of its bytes: 320,240$/m)
    expect(run.stdout).toContain('6 nodes have it, 0 others have any of it\nunpublished: nobody')
  })
})

describe('nodes.txt', () => {
  it('is a nodes file', () =>
    expect(parseNodesFile(readFileSync(example('nodes.txt'), 'utf8'), 'nodes.txt')).toEqual([
      {
        address: '10.0.0.2:7400',
        uplinkBytesPerSecond: 125e6,
        downlinkBytesPerSecond: 125e6,
        site: 'ams',
      },
      {
        address: '10.0.0.3:7400',
        uplinkBytesPerSecond: 125e6,
        downlinkBytesPerSecond: 125e6,
        site: 'ams',
      },
      { address: '10.0.0.4:7400', uplinkBytesPerSecond: 25e6, site: 'fra' },
      { address: '[2001:db8::5]:7400' },
    ]))
})

/** Settings in the sections of a unit file, in order; a name may occur more than once. */
function readUnit(text: string): Map<string, [name: string, value: string][]> {
  const sections = new Map<string, [string, string][]>()
  let current: [string, string][] | undefined
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue
    const section = /^\[(\w+)\]$/.exec(line)?.[1]
    if (section !== undefined) {
      current = []
      sections.set(section, current)
      continue
    }
    const equals = line.indexOf('=')
    if (equals < 1 || current === undefined) throw new Error(`not a setting: ${line}`)
    current.push([line.slice(0, equals), line.slice(equals + 1)])
  }
  return sections
}

describe('fastreplica-node.service', () => {
  const path = example('fastreplica-node.service')
  const unit = readUnit(readFileSync(path, 'utf8'))
  const service = unit.get('Service') ?? []
  const all = (name: string) => service.filter((each) => each[0] === name).map((each) => each[1])

  it('starts a node as this version takes it', () => {
    const [env, fr, ...args] = (all('ExecStart')[0] ?? '').split(' ')
    expect([env, fr]).toEqual(['/usr/bin/env', 'fr'])
    expect(parseCommandLine(args, '0')).toMatchObject({
      kind: 'run',
      command: {
        command: 'node',
        listen: '0.0.0.0:7400',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: the service manager fills them in
        dataDir: ['${STATE_DIRECTORY}'],
        // biome-ignore lint/suspicious/noTemplateCurlyInString: the service manager fills them in
        keyFile: '${CREDENTIALS_DIRECTORY}/key',
        minFreeBytes: 2 ** 30,
      },
    })
    expect(all('LoadCredential')[0]).toMatch(/^key:/)
    expect(all('SuccessExitStatus')).toEqual(['143'])
  })

  it('bounds memory, tasks and descriptors, and allows TCP alone', () => {
    for (const name of ['MemoryMax', 'TasksMax', 'LimitNOFILE']) expect(all(name)).toHaveLength(1)
    expect(all('RestrictAddressFamilies')[0]?.split(' ')).toEqual(
      expect.arrayContaining(['AF_INET', 'AF_INET6']),
    )
    expect(all('MemoryDenyWriteExecute')).toEqual([])
  })

  const analyze = (...args: string[]) =>
    spawnSync('systemd-analyze', [...args, '--no-pager'], { encoding: 'utf8' })
  const hasAnalyze = analyze('--version').status === 0

  it.skipIf(!hasAnalyze)('is right in the eyes of systemd', () => {
    const verify = analyze('verify', path)
    expect([verify.status, verify.stdout + verify.stderr]).toEqual([0, ''])
    const security = analyze('security', '--offline=true', path)
    const exposure = /exposure level for \S+: ([\d.]+)/.exec(security.stdout)?.[1]
    expect(Number(exposure)).toBeLessThan(2)
  })

  it.skipIf(!hasAnalyze)('allows the system calls that the engine needs, and not others', () => {
    const allowed = new Set<string>()
    const members = (name: string): string[] => {
      if (!name.startsWith('@')) return [name]
      const lines = analyze('syscall-filter', name).stdout.split('\n').slice(1)
      const listed = lines.map((line) => line.trim()).filter((line) => /^@?\w/.test(line))
      return listed.flatMap(members)
    }
    for (const filter of all('SystemCallFilter')) {
      const isDenied = filter.startsWith('~')
      for (const name of filter.replace('~', '').split(' ').flatMap(members)) {
        if (isDenied) allowed.delete(name)
        else allowed.add(name)
      }
    }
    const needed =
      'splice tee sendfile openat2 renameat2 fallocate ftruncate copy_file_range pread64 ' +
      'pwrite64 fdatasync fsync sync_file_range flock fstatfs fchmod utimensat linkat unlinkat ' +
      'mkdirat epoll_create1 epoll_ctl epoll_wait eventfd2 pipe2 fcntl accept4 connect ' +
      'setsockopt clone3 clone futex mmap mprotect madvise pkey_alloc getrandom'
    for (const name of needed.split(' ')) expect([name, allowed.has(name)]).toEqual([name, true])
    for (const name of ['mount', 'ptrace', 'reboot', 'kexec_load', 'bpf', 'init_module']) {
      expect([name, allowed.has(name)]).toEqual([name, false])
    }
  })
})

describe('examples/', () => {
  it('holds nothing that is not looked at here', () =>
    expect(readdirSync(join(root, 'examples')).sort()).toEqual([
      'cancel.mjs',
      'cdn',
      // descriptor-example.test.ts looks at it.
      'descriptors',
      'edge',
      'express.mjs',
      'fastreplica-node.service',
      // unit/kubernetes.test.ts looks at it.
      'kubernetes',
      'library.mjs',
      // metrics.test.ts looks at it.
      'metrics',
      'models',
      'nodes.txt',
      // What is said in the documents is read by documents.test.ts as well.
      'wan',
    ]))
})
