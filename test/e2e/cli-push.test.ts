/** `fr push` between real processes: what arrives, what it prints, how it ends. */
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { blake3 } from 'hash-wasm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { copyDigest, listOf, MIB, main, type ServingNode, sha256, World } from './cli-world.js'

describe('fr push to three nodes', () => {
  let world: World
  let nodes: ServingNode[]
  beforeAll(async () => {
    world = new World()
    nodes = await world.nodes(3)
  })
  afterAll(() => world.close())

  const expectCopies = (name: string | Buffer, content: Buffer): void => {
    for (const node of nodes) expect(copyDigest(node, name)).toBe(sha256(content))
  }

  it('delivers, and says so in a table on stderr alone', async () => {
    const content = world.file('plain.bin', 20 * MIB + 7)
    const run = await world.run(['push', 'plain.bin', '--to', listOf(nodes)])
    expect(run).toMatchObject({ status: 0, stdout: '' })
    expectCopies('plain.bin', content)
    const lines = run.stderr.trimEnd().split('\n')
    // A node that answers late is waited for in a line before, or joins, and is not in the plan.
    expect(run.stderr).toMatch(/^plain\.bin: 20\.0 MiB to \d nodes?, adaptive \w+$/m)
    expect(lines.at(-1)).toMatch(
      /^3 of 3 nodes complete in \S+s, 20\.0 MiB each, .* delivered(, .*)?$/,
    )
    const digest = (await world.run(['digest', 'plain.bin'])).stdout.trim()
    expect(digest).toBe(`blake3:${await blake3(content)}`)
    for (const node of nodes) {
      const row = new RegExp(`^${node.address} +complete +\\d+\\.\\d\\d +.*B/s$`, 'm')
      expect(run.stderr).toMatch(row)
    }
    expect(run.stderr.split(digest)).toHaveLength(2)
    expect(run.stderr).toMatch(/^transfer [0-9a-f]{32}$/m)
  })

  it('takes standard input under a name', async () => {
    const content = world.file('piped.bin', 5 * MIB + 3)
    const fr = `"${process.execPath}" "${main}"`
    const command = `cat piped.bin | ${fr} push - --as from/stdin.bin --to ${listOf(nodes)}`
    const piped = world.start('sh', ['-c', command])
    expect(await piped.ended).toBe(0)
    expect(piped.stdout).toBe('')
    expect(piped.stderr).toMatch(/^stdin\.bin: what is written to \d nodes?/m)
    expectCopies('from/stdin.bin', content)
    const whole = world.start('sh', ['-c', `${command} --no-follow`])
    expect(await whole.ended).toBe(0)
    expect(whole.stderr).toMatch(/^stdin\.bin: 5\.\d+ MiB to \d nodes?/m)
    const nameless = await world.run(['push', '-', '--to', listOf(nodes)])
    expect(nameless).toMatchObject({ status: 2, stdout: '' })
    expect(nameless.stderr).toMatch(/standard input needs --as NAME/)
  })

  it('prints the lines of --json in their order', async () => {
    const content = world.file('json.bin', 24 * MIB)
    const run = await world.run(['push', 'json.bin', '--json', '--to', listOf(nodes)])
    expect(run.status).toBe(0)
    expectCopies('json.bin', content)
    expect(run.lines.at(-1)).toMatchObject({ event: 'result' })
    // Progress is told from the beginning.
    const told = run.lines.filter(({ event }) => event !== 'progress')
    expect(run.lines.length).toBeGreaterThan(told.length)
    expect(told.map(({ event }) => event)).toEqual(['plan', 'node', 'node', 'node', 'result'])
    expect(told[0]).toMatchObject({
      strategy: 'adaptive',
      bytes: 24 * MIB,
      boundSeconds: null,
    })
    const outcomes = run.lines.filter((line) => line['event'] === 'node')
    expect(outcomes.map((line) => line['node']).sort()).toEqual(
      nodes.map((node) => node.address).sort(),
    )
    const result = run.lines.at(-1) as {
      seconds: number
      nodes: unknown[]
      digest: string
      bytes: number
      originBytesSent: number
    }
    expect(result.bytes).toBe(24 * MIB)
    // More when a relay was slow: its part is dealt again, or sent to all directly.
    expect(result.originBytesSent).toBeGreaterThanOrEqual(24 * MIB)
    expect(result.originBytesSent).toBeLessThan(3 * 24 * MIB)
    expect(result.nodes).toHaveLength(3)
    for (const node of nodes) {
      expect(result.nodes).toContainEqual({
        node: node.address,
        status: 'complete',
        seconds: expect.any(Number),
        bytes: 24 * MIB,
        digest: result.digest,
        repairedBytes: 0,
        receivedBytes: expect.any(Number),
        duplicateBytes: expect.any(Number),
        fromOriginBytes: expect.any(Number),
        fromMatesBytes: expect.any(Number),
        fromMirrorsBytes: 0,
        fromRelaysBytes: 0,
        heldBytes: 0,
        filledBytes: 0,
        servedBy: null,
        holeBytes: 0,
        attempts: 1,
        rejoined: false,
        reopened: 0,
        code: null,
        retryable: false,
        reason: null,
        warnings: [],
      })
    }
  })

  it('takes names with spaces and line ends, and shows them escaped', async () => {
    const name = ' two\nlines \u001b[31m.bin'
    const content = world.file(name, 1000)
    const run = await world.run(['push', name, '--to', listOf(nodes)])
    expect(run.status).toBe(0)
    expect(run.stderr).toMatch(/ two\\x0alines \\x1b\[31m\.bin: 1000 B to \d nodes?/)
    expectCopies(name, content)
  })

  it('takes names that are no UTF-8, as source and with --as', async () => {
    const name = Buffer.from([0x61, 0xff, 0xfe, 0x62])
    const content = world.file(name, 5000)
    // Only a shell can pass such a name; Node would convert it to UTF-8.
    const shell = (line: string) =>
      world.start('sh', ['-c', line, process.execPath, main, listOf(nodes)])
    const first = shell(`"$0" "$1" push "$(printf 'a\\377\\376b')" --to "$2"`)
    expect([await first.ended, first.stderr]).toEqual([0, expect.stringContaining('3 of 3 nodes')])
    expectCopies(name, content)
    const again = shell(
      `"$0" "$1" push ./"$(printf 'a\\377\\376b')" --as="$(printf 'c\\375')" --to "$2"`,
    )
    expect([await again.ended, again.stderr]).toEqual([0, expect.stringContaining('3 of 3 nodes')])
    expectCopies(Buffer.from([0x63, 0xfd]), content)
    const missing = shell(`"$0" "$1" push "$(printf 'z\\377')" --to "$2"`)
    expect([await missing.ended, missing.stderr]).toEqual([
      2,
      expect.stringMatching(/^fr push: ERR_FR_SOURCE: .*ENOENT/),
    ])
  })

  it('reads a nodes file, and predicts with its speeds', async () => {
    const content = world.file('listed.bin', 25_000_000)
    const lines = nodes.map((node) => `${node.address} downlink=20Gbit uplink=20Gbit # a node`)
    writeFileSync(world.path('nodes.txt'), `# all\n${lines.join('\n')}\n`)
    const args = ['push', 'listed.bin', '--nodes', 'nodes.txt', '--uplink', '20Gbit', '--json']
    const plan = await world.run([...args, '--dry-run'])
    expect(plan.status).toBe(0)
    const told = plan.lines.filter(({ event }) => event !== 'progress')
    expect(told).toMatchObject([{ event: 'plan', boundSeconds: 0.01 }])
    for (const node of nodes) expect(copyDigest(node, 'listed.bin')).toBeNull()
    const run = await world.run(args)
    expect(run.status).toBe(0)
    const result = run.lines.at(-1) as { efficiency: number; seconds: number }
    expect(result).toMatchObject({ event: 'result', boundSeconds: 0.01 })
    expect(result.efficiency).toBeCloseTo(0.01 / result.seconds, 6)
    expectCopies('listed.bin', content)
  })

  it('prints the plan on stdout with --dry-run', async () => {
    world.file('dry.bin', 3 * MIB)
    const run = await world.run(['push', 'dry.bin', '--dry-run', '--to', listOf(nodes)])
    expect(run).toMatchObject({ status: 0, stderr: '' })
    expect(run.stdout.split('\n')).toEqual([
      'dry.bin: 3.00 MiB to 3 nodes, adaptive group',
      'blocks of 64.0 KiB',
      'predicted: unknown without link speeds',
      'bound: unknown without link speeds',
      'limited by: unknown',
      expect.stringMatching(/^node +group +relays +share$/),
      ...nodes.map((node) => expect.stringMatching(`^${node.address} +1 +1.00 MiB +33%$`)),
      '',
    ])
  })

  it('exits 1 where no node completes, with a result all the same', async () => {
    world.file('none.bin', MIB)
    const run = await world.run([
      'push',
      'none.bin',
      '--json',
      '--connect-timeout',
      '500ms',
      '--to',
      '127.0.0.1:1,127.0.0.1:2',
    ])
    expect(run.status).toBe(1)
    expect(run.lines.at(-1)).toMatchObject({
      event: 'result',
      nodes: [
        { status: 'failed', reason: expect.stringContaining('ERR_FR_UNREACHABLE') },
        { status: 'failed', reason: expect.stringContaining('ERR_FR_UNREACHABLE') },
      ],
    })
  })

  it('goes on quietly when nobody reads its lines', async () => {
    const content = world.file('pipe.bin', 30 * MIB)
    const line = `set -o pipefail; "$0" "$@" | head -n 1`
    const args = ['-c', line, process.execPath, main]
    const run = world.start('bash', [...args, 'push', 'pipe.bin', '--json', '--to', listOf(nodes)])
    expect(await run.ended).toBe(0)
    expect(run.lines).toMatchObject([{ event: expect.stringMatching(/^(?:plan|progress)$/) }])
    expect(run.stderr).not.toMatch(/EPIPE|Error/)
    expectCopies('pipe.bin', content)
  })

  it('has colours on a terminal, without NO_COLOR', async () => {
    const content = world.file('live.bin', MIB)
    const onTerminal = async (env: NodeJS.ProcessEnv): Promise<string> => {
      const program =
        'import os,pty,sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))'
      const push = [process.execPath, main, 'push', 'live.bin', '--to', listOf(nodes)]
      const run = world.start('python3', ['-c', program, ...push], { env })
      expect([await run.ended, run.stderr, run.stdout]).toEqual([0, '', expect.anything()])
      return run.stdout
    }
    const green = '\u001b[32mcomplete\u001b[39m'
    expect(await onTerminal({ TERM: 'xterm' })).toContain(green)
    expectCopies('live.bin', content)
    expect(await onTerminal({ TERM: 'xterm', NO_COLOR: '1' })).not.toContain('\u001b[32m')
    expect(await onTerminal({ TERM: 'dumb' })).not.toContain('\u001b')
  })

  it('prints nothing with --quiet where all goes well, and errors only where not', async () => {
    const content = world.file('quiet.bin', MIB)
    const run = await world.run(['push', 'quiet.bin', '--quiet', '--to', listOf(nodes)])
    expect(run).toMatchObject({ status: 0, stdout: '', stderr: '' })
    expectCopies('quiet.bin', content)
    const to = `127.0.0.1:1,${listOf(nodes)}`
    const args = ['-q', '--connect-timeout', '4s', '--to', to]
    const some = await world.run(['push', 'quiet.bin', ...args])
    expect(some).toMatchObject({ status: 3, stdout: '' })
    expect(some.stderr).toMatch(/^127\.0\.0\.1:1 failed after \S+ s: ERR_FR_UNREACHABLE: .*\n$/)
  })

  it('refuses what is no file', async () => {
    mkdirSync(world.path('folder'), { recursive: true })
    const args = ['--json', '--to', listOf(nodes)]
    const directory = await world.run(['push', 'folder', '--allow-add', ...args])
    expect(directory.status).toBe(2)
    expect(directory.stderr).toContain('no directories with allowAdd')
    expect(directory.lines).toEqual([
      { event: 'error', code: 'ERR_FR_UNSUPPORTED', text: expect.any(String) },
    ])
    const file = await world.run(['push', 'plain.bin', '--delete', ...args])
    expect(file.stderr).toContain('delete is for directories')
    expect(file.status).toBe(2)
    const missing = await world.run(['push', 'no such\n', '--to', listOf(nodes)])
    expect(missing.status).toBe(2)
    expect(missing.stderr).toMatch(/^fr push: ERR_FR_SOURCE: .*no such\\x0a/)
    expect(missing.stderr.trimEnd().split('\n')).toHaveLength(1)
  })

  it('leaves no partial behind', async () => {
    for (const node of nodes) {
      const partials = join(node.data, '.fastreplica/partials')
      // The nodes end a moment after the push.
      const isEmpty = () => !existsSync(partials) || readdirSync(partials).length === 0
      await node.until('end of the partials', isEmpty)
      expect(statSync(join(node.data, '.fastreplica')).mode & 0o777).toBe(0o700)
    }
  })
})
