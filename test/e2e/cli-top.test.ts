/** `fr top` on terminals, `fr status` of several nodes and again and again, `fr completion`. */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Screen } from '../screen.js'
import { MIB, main, type Running, type ServingNode, World } from './cli-world.js'
import { holdingDoor } from './door.js'
import { startOnTerminal } from './on-terminal.js'
import { until } from './push-support.js'

let world: World
let one: ServingNode
let other: ServingNode
let dying: ServingNode
beforeAll(async () => {
  world = new World()
  ;[one, other, dying] = await world.nodes(3)
})
afterAll(() => world.close())

/** What a full screen shows now. */
function screenOf(run: Running, columns: number, rows: number): Screen {
  const screen = new Screen(columns, rows)
  screen.write(run.stdout)
  return screen
}

describe.each([
  [80, 24],
  [120, 40],
])('fr top on %d columns and %d rows', (columns, rows) => {
  it('shows nodes, a push that is under way, and gives the terminal back', async () => {
    const door = await holdingDoor(other.address, MIB)
    world.file('held.bin', 4 * MIB)
    const to = [one.address, door.address].join()
    const push = world.fr(['push', 'held.bin', '--as', `held-${columns}`, '--to', to])
    await until(door.isHolding, 'the push is under way')
    const at = `${one.address},${other.address},127.0.0.1:1`
    const run = startOnTerminal(world, { columns, rows }, ['top', at, '--every', '200ms'])
    const screen = () => screenOf(run, columns, rows)
    const shows = (text: RegExp) =>
      until(() => text.test(screen().lines.join('\n')), `the screen shows ${text}`, 30_000)

    await shows(new RegExp(`^. ${other.address} +moving`, 'm'))
    await shows(/^. 127\.0\.0\.1:1 +away .*ERR_FR_U/m)
    expect(screen().isFull).toBe(true)
    const { lines } = screen()
    expect(lines).toHaveLength(rows)
    expect(lines[0]).toMatch(/^fr top {2}3 nodes, 1 away, 1 transfer, /)
    expect(lines.at(-1)).toMatch(/^q end /)
    run.child.stdin?.write('2')
    await shows(new RegExp(`^> held-${columns} +4.00 MiB +\\d/2 +moving`, 'm'))
    run.child.stdin?.write('\r')
    await shows(new RegExp(`^${other.address} +receiving`, 'm'))
    run.child.stdin?.write('q1/127.0.0.1:1\r')
    await shows(/filter: 127\.0\.0\.1:1$/m)
    door.open()
    expect(await push.ended).toBe(0)
    run.child.stdin?.write('q')
    expect([await run.ended, run.stderr]).toEqual([0, ''])
    expect(screen().isFull).toBe(false)
    expect(screen().lines.join('')).toBe('')
    door.close()
  })
})

describe('fr top', () => {
  it('ends by Ctrl-C as by SIGINT, and needs a terminal', async () => {
    const run = startOnTerminal(world, { columns: 80, rows: 24 }, ['top', one.address])
    await until(() => screenOf(run, 80, 24).lines.join('').includes('fr top'), 'the screen', 30_000)
    run.child.stdin?.write('\u0003')
    expect(await run.ended).toBe(130)
    expect(screenOf(run, 80, 24).isFull).toBe(false)
    const { status, stderr } = await world.run(['top', one.address])
    expect([status, stderr]).toEqual([
      2,
      'fr top: fr top is for people at a terminal; programs ask fr status --watch --json\n',
    ])
  })
})

describe('fr status', () => {
  it('of several is a line for each, and says by its status whether all answer', async () => {
    const nodes = path.join(world.directory, 'nodes.txt')
    writeFileSync(nodes, `${one.address}\n${other.address} site=a\n`)
    const both = await world.run(['status', '--nodes', nodes])
    expect([both.status, both.stdout.split('\n').map((line) => line.split(/ +/)[0])]).toEqual([
      ...[0, ['node', one.address, other.address, '']],
    ])
    const some = await world.run(['status', `${one.address},127.0.0.1:1`, '--json'])
    expect(some.status).toBe(3)
    expect(some.lines.map(({ event, node, code }) => ({ event, node, code }))).toEqual(
      expect.arrayContaining([
        { event: 'status', node: one.address, code: undefined },
        { event: 'error', node: '127.0.0.1:1', code: 'ERR_FR_UNREACHABLE' },
      ]),
    )
    expect((await world.run(['status', '127.0.0.1:1,127.0.0.1:2'])).status).toBe(1)
  })

  it('with --watch tells of a node that goes away, until it is ended', async () => {
    const args = ['status', `${one.address},${dying.address}`, '--watch', '200ms', '--json']
    const run = world.fr(args)
    const told = (event: string, node: string) => () =>
      run.lines.filter((line) => line['event'] === event && line['node'] === node).length > 1
    await until(told('status', dying.address), 'it answers twice')
    dying.kill('SIGKILL')
    await until(told('error', dying.address), 'it is away')
    run.child.kill('SIGINT')
    expect(await run.ended).toBe(130)
    const live = startOnTerminal(world, { columns: 80, rows: 24 }, [
      'status',
      one.address,
      '--watch',
    ])
    const screen = () => screenOf(live, 80, 24)
    await until(
      () => screen().lines.some((line) => line.startsWith(one.address)),
      'a table',
      30_000,
    )
    expect(screen().isFull).toBe(false)
    live.child.stdin?.write('\u0003')
    expect(await live.ended).toBe(130)
  })
})

describe('fr completion', () => {
  const script = (shell: string): string =>
    execFileSync(process.execPath, [main, 'completion', shell], { encoding: 'utf8' })

  /** What bash offers for a command line, whose last word is being written. */
  function offered(...words: string[]): string[] {
    const shown = words.map((word) => `'${word}'`).join(' ')
    const print = `printf '%s\\n' "\${COMPREPLY[@]}"`
    const ask = `COMP_WORDS=(${shown}); COMP_CWORD=${words.length - 1}; _fr; ${print}`
    const found = execFileSync('bash', ['-c', `${script('bash')}\n${ask}`], {
      cwd: world.directory,
      encoding: 'utf8',
    })
    return found
      .split('\n')
      .filter((word) => word !== '')
      .sort()
  }

  it('completes commands, options, their values and files in bash', () => {
    writeFileSync(path.join(world.directory, 'fleet.txt'), '')
    expect(offered('fr', 'pu')).toEqual(['publish', 'push'])
    expect(offered('fr', 'push', '--key')).toEqual(['--key-file'])
    expect(offered('fr', 'push', '--engine', '')).toEqual(['native', 'portable'])
    expect(offered('fr', 'push', '--nodes', 'flee')).toEqual(['fleet.txt'])
    expect(offered('fr', 'push', 'flee')).toEqual(['fleet.txt'])
    expect(offered('fr', 'status', 'flee')).toEqual([])
    expect(offered('fr', 'help', 'ver')).toEqual(['verify', 'versions'])
  })

  it('is a script that zsh and fish read', () => {
    expect(execFileSync('zsh', ['-n', '-c', script('zsh')], { encoding: 'utf8' })).toBe('')
    const ask = `${script('fish')}\ncomplete -C 'fr pu'; complete -C 'fr push --engine '`
    const found = execFileSync('fish', ['--no-config', '-c', ask], { encoding: 'utf8' })
    const words = found.split('\n').map((line) => line.split('\t')[0])
    expect(words).toEqual(['publish', 'push', 'native', 'portable', ''])
  })
})
