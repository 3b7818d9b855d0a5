/** `fr node` and the small commands, as processes: what they print and how they refuse. */
import { createHash } from 'node:crypto'
import { chmodSync, chownSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { main, type ServingNode, World } from './cli-world.js'
import { RawFtp } from './ftp-support.js'

let world: World
beforeAll(() => {
  world = new World()
})
afterAll(() => world.close())

describe('fr node', () => {
  it('says on stderr where it serves, and ends with 143 by SIGTERM', async () => {
    const node = world.fr(['node', '--listen', '127.0.0.1:0', '--data', 'quiet dir'])
    await node.until('listening line', () => node.stderr.includes('event=listening'))
    expect(node.stderr).toMatch(
      /^time=\S+ level=info event=listening address=127\.0\.0\.1:\d+ data="quiet dir"$/m,
    )
    node.kill('SIGTERM')
    expect(await node.ended).toBe(143)
    expect(node.stdout).toBe('')
  })

  it('says on stdout as JSON where it serves, and logs JSON', async () => {
    const node = await world.node('json', ['--log-format', 'json', '--name', 'a b'])
    expect(node.lines).toEqual([
      {
        event: 'listening',
        address: node.address,
        nodeId: expect.stringMatching(/^[0-9a-f]{32}$/),
      },
    ])
    node.kill('SIGINT')
    expect(await node.ended).toBe(130)
    const logs = node.stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(logs.map((line) => line.event)).toEqual(expect.arrayContaining(['stopping', 'stopped']))
  })

  it('prints the token of a key, and makes others', async () => {
    const first = await world.run(['token'])
    expect(first).toMatchObject({ status: 0, stderr: '' })
    expect(first.stdout).toMatch(/^[\w-]{43}\n$/)
    expect((await world.run(['token'])).stdout).toBe(first.stdout)
    const made = await world.run(['token', '--new'])
    expect(made.stdout).not.toBe(first.stdout)
    const sha256 = createHash('sha256').update(made.stdout.trim()).digest('hex')
    expect(made.stderr).toBe(`${sha256} token-${sha256.slice(0, 8)} status\n`)
    expect((await world.run(['token'], { FR_KEY: undefined })).stderr).toContain('ERR_FR_KEY')
    expect((await world.run(['token', '--new', '--key-file', 'k'])).status).toBe(2)
  })

  it('opens an HTTP door where it is asked for, says where, and closes it at the end', async () => {
    const node = await world.node('door', ['--http', '127.0.0.1:0', '--http-host', 'files'])
    const http = node.lines[0]?.['http']
    expect(http).toMatch(/^127\.0\.0\.1:\d+$/)
    expect(await (await fetch(`http://${http}/healthz`)).json()).toEqual({ status: 'ok' })
    node.kill('SIGTERM')
    expect(await node.ended).toBe(143)
    await expect(fetch(`http://${http}/healthz`)).rejects.toThrow()
    for (const args of [
      ['--http', '127.0.0.1'],
      ['--http-host', 'files'],
    ]) {
      const refused = await world.run(['node', '--listen', '127.0.0.1:0', '--data', 'd', ...args])
      expect(refused.status).toBe(2)
    }
  })

  it('opens an FTP door where it is asked for, beside the other one, and says where', async () => {
    const node = await world.node('ftp', ['--ftp', '127.0.0.1:0', '--http', '127.0.0.1:0'])
    const { ftp, http } = node.lines[0] ?? {}
    expect(http).toMatch(/^127\.0\.0\.1:\d+$/)
    const session = await RawFtp.login(String(ftp), (await world.run(['token'])).stdout.trim())
    expect(await session.ask('PWD')).toEqual({ code: 257, text: '"/"' })
    node.kill('SIGTERM')
    expect((await session.reply()).code).toBe(421)
    expect(await node.ended).toBe(143)
    for (const args of [
      ['--ftp-ports', '2000-3000'],
      ['--ftp', '127.0.0.1:0', '--ftp-ports', '5'],
    ]) {
      const refused = await world.run(['node', '--listen', '127.0.0.1:0', '--data', 'd', ...args])
      expect({ args, status: refused.status }).toEqual({ args, status: 2 })
    }
  })

  it('prints fingerprints, takes a list of them, and reads it again on SIGHUP', async () => {
    const mine = await world.run(['id'])
    expect(mine.stdout).toMatch(/^[0-9a-f]{32}\n$/)
    const peers = world.path('peers')
    writeFileSync(peers, '# nobody yet\n', { mode: 0o644 })
    const node = await world.node('listed', ['--authorize', peers])
    const data = ['id', '--data', node.data, '--json']
    const id = JSON.parse((await world.run(data)).stdout)
    expect(id).toEqual({ event: 'id', of: 'node', nodeId: node.lines[0]?.['nodeId'] })
    expect((await world.run(['status', node.address])).status).toBe(1)
    writeFileSync(peers, `${mine.stdout.trim()} me\n`)
    node.kill('SIGHUP')
    await node.until('the list is read', () => node.stderr.includes('event=peers-read'))
    expect((await world.run(['status', node.address])).status).toBe(0)
    const none = await world.run(['id', '--data', world.path('nothing here')])
    expect(none.stderr).toMatch(/^fr id: ERR_FR_DATA_DIR: /m)
  })

  it('refuses a key of its own that every user can read', async () => {
    const node = await world.node('private')
    node.kill('SIGTERM')
    await node.ended
    chmodSync(`${node.data}/.fastreplica/node-key`, 0o644)
    const again = await world.run(['node', '--listen', '127.0.0.1:0', '--data', node.data])
    expect(again.status).toBe(1)
    expect(again.stderr).toMatch(/^fr node: ERR_FR_KEY: .*node-key has mode 0644/m)
  })

  it('keeps its identity over a restart', async () => {
    const first = await world.node('same')
    first.kill('SIGTERM')
    await first.ended
    const second = await world.node('same')
    expect(second.lines[0]?.['nodeId']).toBe(first.lines[0]?.['nodeId'])
  })

  it('refuses a data directory that is a file, and one that is in use', async () => {
    writeFileSync(world.path('file'), 'x')
    const file = await world.run(['node', '--listen', '127.0.0.1:0', '--data', world.path('file')])
    expect(file.status).toBe(1)
    expect(file.stderr).toMatch(/^fr node: ERR_FR_DATA_DIR: /m)
    const node = await world.node('used')
    const used = await world.run(['node', '--listen', '127.0.0.1:0', '--data', node.data])
    expect(used.status).toBe(1)
    expect(used.stderr).toMatch(/^fr node: ERR_FR_DATA_DIR_LOCKED: /m)
  })

  it('refuses an unusable key', async () => {
    const data = ['--listen', '127.0.0.1:0', '--data', world.path('keys')]
    writeFileSync(world.path('wide.key'), 'k'.repeat(43), { mode: 0o644 })
    const wide = await world.run(['node', ...data, '--key-file', 'wide.key'])
    expect([wide.status, wide.stderr]).toEqual([1, expect.stringContaining('ERR_FR_KEY')])
    const missing = await world.run(['node', ...data, '--key-file', 'none.key'])
    expect([missing.status, missing.stderr]).toEqual([1, expect.stringContaining('ERR_FR_KEY')])
    for (const FR_KEY of ['', 'short']) {
      const run = await world.run(['node', ...data], { FR_KEY })
      expect([run.status, run.stderr]).toEqual([1, expect.stringContaining('ERR_FR_KEY')])
    }
  })

  it('takes a key that the service manager hands over, whatever its mode shows', async () => {
    const key = 'm'.repeat(43)
    writeFileSync(world.path('handed.key'), `${key}\n`, { mode: 0o440 })
    const env = { CREDENTIALS_DIRECTORY: world.directory, FR_KEY: '' }
    const node = await world.node('credentials', ['--key-file', world.path('handed.key')], env)
    const status = await world.run(['status', node.address, '--json'], { FR_KEY: key })
    expect([status.status, status.stderr]).toEqual([0, ''])
  })

  it('takes fr.key of the credentials where nothing else names a key', async () => {
    const key = 'c'.repeat(43)
    mkdirSync(world.path('handed'))
    writeFileSync(world.path('handed', 'fr.key'), `${key}\r\n`, { mode: 0o444 })
    const data = ['--listen', '127.0.0.1:0', '--data', world.path('by-credential'), '--json']
    const node = world.start('env', [
      '-u',
      'FR_KEY',
      `CREDENTIALS_DIRECTORY=${world.path('handed')}`,
      ...[process.execPath, main, 'node', ...data],
    ])
    await node.until('listening line', () => node.lines.length > 0)
    const address = String(node.lines[0]?.['address'])
    const status = await world.run(['status', address, '--json'], { FR_KEY: key })
    expect([status.status, status.stderr]).toEqual([0, ''])
  })

  it('takes the same key from a file, a pipe, standard input and the environment', async () => {
    const key = 'p'.repeat(43)
    const node = await world.node('sources', [], { FR_KEY: `${key}\r\n` })
    writeFileSync(world.path('crlf.key'), `${key}\r\n`, { mode: 0o600 })
    const status = [process.execPath, main, 'status', node.address].join(' ')
    const commands = [
      `${status} --key-file crlf.key`,
      `${status} --key-file <(printf '%s\\n' ${key})`,
      `printf '%s\\r\\n' ${key} | ${status} --key-file -`,
      `${status} --key-file /dev/stdin < crlf.key`,
      `FR_KEY=${key} ${status}`,
      `FR_KEY="$(cat crlf.key)" ${status}`,
    ]
    for (const command of commands) {
      const run = world.start('bash', ['-c', command])
      expect([command, await run.ended, run.stderr]).toEqual([command, 0, ''])
    }
  })

  it.runIf(process.getuid?.() === 0)('reads a secret as Kubernetes mounts it', async () => {
    const key = 'q'.repeat(43)
    const secret = world.path('secret.key')
    writeFileSync(secret, `${key}\n`, { mode: 0o440 })
    chownSync(secret, 0, 2000)
    const data = ['--listen', '127.0.0.1:0', '--json', '--data']
    const as = (groups: string, dir: string) => {
      mkdirSync(world.path(dir))
      chownSync(world.path(dir), 1000, 1000)
      const who = ['--reuid=1000', '--regid=1000', `--groups=${groups}`]
      const fr = [process.execPath, main, 'node', ...data, world.path(dir)]
      return world.start('setpriv', [...who, ...fr, '--key-file', secret])
    }
    chmodSync(world.directory, 0o755)
    const stranger = as('1000', 'stranger')
    expect(await stranger.ended).toBe(1)
    expect(stranger.stderr).toContain('cannot be read (EACCES): this process runs as uid 1000')
    const member = as('1000,2000', 'member')
    await member.until('listening line', () => member.lines.length > 0)
    const status = await world.run(['status', String(member.lines[0]?.['address'])], {
      FR_KEY: key,
    })
    expect([status.status, status.stderr]).toEqual([0, ''])
  })

  it('accepts the previous key beside the new one', async () => {
    writeFileSync(world.path('new.key'), 'n'.repeat(43), { mode: 0o600 })
    writeFileSync(world.path('old.key'), 'o'.repeat(43), { mode: 0o600 })
    const keys = ['--key-file', world.path('new.key'), '--previous-key-file', world.path('old.key')]
    const node = await world.node('rotating', keys)
    for (const [file, status] of [
      ['new.key', 0],
      ['old.key', 0],
    ] as const) {
      const run = await world.run(['status', node.address, '--key-file', file])
      expect([file, run.status, run.stderr]).toEqual([file, status, ''])
    }
    const other = await world.run(['status', node.address], { FR_KEY: 'x'.repeat(43) })
    expect([other.status, other.stderr]).toEqual([1, expect.stringContaining('ERR_FR_AUTH')])
  })
})

describe('fr status', () => {
  let node: ServingNode
  beforeAll(async () => {
    node = await world.node('status', ['--name', 'ams 1', '--attr', 'site=ams', '--attr', 'gpu'])
  })

  it('for people', async () => {
    const run = await world.run(['status', node.address])
    expect(run).toMatchObject({ status: 0, stderr: '' })
    expect(run.stdout).toContain(`node       ${node.address}, called ams 1\n`)
    expect(run.stdout).toContain('attributes site=ams gpu\n')
    expect(run.stdout).toContain('transfers  0\n')
    expect(run.stdout).not.toContain('\u001b')
  })

  it('as JSON', async () => {
    const run = await world.run(['status', node.address, '--json'])
    expect(run).toMatchObject({ status: 0, stderr: '' })
    expect(run.lines).toEqual([
      expect.objectContaining({
        event: 'status',
        name: 'ams 1',
        attributes: { site: 'ams', gpu: '' },
        transfers: [],
        dataDir: node.data,
      }),
    ])
  })

  it('of nobody', async () => {
    const run = await world.run(['status', '127.0.0.1:1'])
    expect(run).toMatchObject({ status: 1, stdout: '' })
    expect(run.stderr).toMatch(/^fr status: ERR_FR_UNREACHABLE: /)
  })
})

describe('fr keygen', () => {
  it('prints a new key each time', async () => {
    const first = await world.run(['keygen'])
    const second = await world.run(['keygen'])
    expect(first).toMatchObject({ status: 0, stderr: '' })
    expect(first.stdout).toMatch(/^[\w-]{43}\n$/)
    expect(second.stdout).not.toBe(first.stdout)
  })

  it('writes it for the owner alone, and never over a file', async () => {
    const run = await world.run(['keygen', '--out', 'made.key'])
    expect(run).toMatchObject({ status: 0, stdout: '', stderr: '' })
    expect(statSync(world.path('made.key')).mode & 0o777).toBe(0o600)
    const key = readFileSync(world.path('made.key'), 'utf8')
    expect(key).toMatch(/^[\w-]{43}\n$/)
    const again = await world.run(['keygen', '--out', 'made.key'])
    expect([again.status, again.stderr]).toEqual([1, expect.stringContaining('ERR_FR_EXISTS')])
    expect(readFileSync(world.path('made.key'), 'utf8')).toBe(key)
    const nowhere = await world.run(['keygen', '--out', 'no/where.key'])
    expect([nowhere.status, nowhere.stderr]).toEqual([1, expect.stringContaining('ERR_FR_IO')])
  })
})

describe('the log of a node', () => {
  it('says who sent what, how long it took, and what arrived', async () => {
    const node = await world.node('logged', ['--log-format', 'json'])
    world.file('logged.bin', 300_000)
    const run = await world.run(['push', 'logged.bin', '--json', '--to', node.address])
    expect(run.status).toBe(0)
    const { transfer, nodes } = run.lines.at(-1) as {
      transfer: string
      nodes: { digest: string }[]
    }
    const about = {
      transfer,
      name: 'logged.bin',
      sender: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      bytes: 300_000,
    }
    const logged = () =>
      node.stderr
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line))
    const published = () => logged().find((line) => line.event === 'published')
    await node.until('line of the outcome', () => published() !== undefined)
    expect(logged().find((line) => line.event === 'offered')).toMatchObject(about)
    expect(published()).toMatchObject({ ...about, digest: nodes[0]?.digest })
    expect(published().seconds).toBeGreaterThan(0)
    const rate = about.bytes / published().seconds
    expect(published().rateBytesPerSecond).toBe(Math.round(rate))
  })
})

describe('fr digest', () => {
  it('prints one line, in the algorithm asked for', async () => {
    world.file('digested', 200_000)
    const plain = await world.run(['digest', 'digested'])
    expect(plain).toMatchObject({ status: 0, stderr: '' })
    expect(plain.stdout).toMatch(/^blake3:[0-9a-f]{64}\n$/)
    const secure = await world.run(['digest', 'digested', '--digest', 'sha256'])
    expect(secure.stdout).toMatch(/^sha256-blocks\/65536:[0-9a-f]{64}\n$/)
  })

  it('refuses what is no file', async () => {
    const missing = await world.run(['digest', 'none'])
    expect([missing.status, missing.stderr]).toEqual([2, expect.stringContaining('ERR_FR_SOURCE')])
    const directory = await world.run(['digest', '.'])
    expect(directory.status).toBe(2)
    expect(directory.stderr).toContain('ERR_FR_IS_DIRECTORY')
  })
})

describe('fr', () => {
  it.each([
    [[], 'Usage: fr'],
    [['psh'], '(Did you mean push?)'],
    [['push', 'f', '--nodes', 'none.txt'], '--nodes: '],
    [['push', 'none', '--to', '127.0.0.1:1'], 'none: no such file or directory (ENOENT)'],
    [['push', '.', '--to', '127.0.0.1:1'], 'path names no file'],
    [
      ['push', '/', '--to', '127.0.0.1:1', '--as', 'x', '--allow-add'],
      'ERR_FR_UNSUPPORTED: this version pushes no directories with allowAdd',
    ],
    [['push', 'f', '--as', '../x', '--to', '127.0.0.1:1'], 'ERR_FR_NAME: "../x" cannot be stored'],
  ])('usage errors exit 2 on stderr: %j', async (args, text) => {
    const run = await world.run(args)
    expect(run).toMatchObject({ status: 2, stdout: '' })
    expect(run.stderr).toContain(text)
    expect(run.stderr).not.toMatch(/^ {4}at /m)
  })

  it.each([19, 22])('says in one line that %d open files are too few', async (most) => {
    world.file('few.bin', 1000)
    const fr = 'ulimit -n "$0" && exec "$@"'
    const run = world.start('bash', [
      '-c',
      fr,
      String(most),
      process.execPath,
      main,
      ...['push', 'few.bin', '--to', '127.0.0.1:1'],
    ])
    expect(await run.ended).toBe(1)
    expect(run.stderr).toMatch(
      /^fr(?: push)?: too many open files: raise the limit .*ulimit -n .*\n$/,
    )
    expect(run.stdout).toBe('')
  })

  it('says where a nodes file is wrong', async () => {
    writeFileSync(world.path('bad.txt'), '# nodes\nh:1\nh:2 speed=1Gbit\n')
    const run = await world.run(['push', 'f', '--nodes', 'bad.txt'])
    expect(run.status).toBe(2)
    expect(run.stderr).toContain("bad.txt:3: unknown attribute 'speed'")
    writeFileSync(world.path('large.txt'), `#${'x'.repeat(1024 * 1024)}\n`)
    const large = await world.run(['push', 'f', '--nodes', 'large.txt'])
    expect([large.status, large.stderr]).toEqual([2, expect.stringContaining('larger than')])
  })

  it('is quiet when nobody reads', async () => {
    const run = world.start('bash', ['-c', '"$0" "$@" | true', process.execPath, main, '--help'])
    expect(await run.ended).toBe(0)
    expect(run.stderr).toBe('')
  })

  it('loads the library in no command before it is needed', () => {
    const src = new URL('../../src/', import.meta.url)
    const loaded = new Set<string>()
    const load = (file: URL): void => {
      const name = file.href.slice(src.href.length)
      if (loaded.has(name)) return
      loaded.add(name)
      const text = readFileSync(file, 'utf8')
      const forms = /^(?:import|export) (?:\{[^}]*\}|\w+) from '(\.[^']+)\.js'/gm
      for (const [, from] of text.matchAll(forms)) load(new URL(`${from}.ts`, file))
    }
    load(new URL('cli/start.ts', src))
    expect(loaded).toContain('cli/commands/push.ts')
    expect([...loaded].filter((name) => !name.startsWith('cli/')).sort()).toEqual([
      'api/address.ts',
      'base/addresses.ts',
      'base/attributes.ts',
      'base/byte-text.ts',
      'base/bytes.ts',
      'base/coding-limits.ts',
      'base/commit-limits.ts',
      'base/content-limits.ts',
      'base/copy-limits.ts',
      'base/criteria-limits.ts',
      'base/criteria.ts',
      'base/delta-limits.ts',
      'base/descriptor-limits.ts',
      'base/detection.ts',
      'base/digests.ts',
      'base/directory-limits.ts',
      'base/disk-limits.ts',
      'base/document-limits.ts',
      'base/errors.ts',
      'base/glob.ts',
      'base/growing-limits.ts',
      'base/hashing-limits.ts',
      'base/leading-limits.ts',
      'base/limits.ts',
      'base/report-limits.ts',
      'base/serving-limits.ts',
      'base/simulation-limits.ts',
      'base/swarm-limits.ts',
      'base/tree-limits.ts',
      'base/units.ts',
      'base/version-limits.ts',
      'net/address.ts',
    ])
  })
})
