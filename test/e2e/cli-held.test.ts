/** `fr ls`, `fr rm` and `fr verify` between real processes. */
import { existsSync, rmSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { copyDigest, MIB, type ServingNode, sha256, World } from './cli-world.js'
import { invertByte } from './damage.js'

describe('what nodes hold', () => {
  let world: World
  let one: ServingNode
  let two: ServingNode
  let both: string
  beforeEach(async () => {
    world = new World()
    ;[one, two] = await world.nodes(2)
    both = `${one.address},${two.address}`
  })
  afterEach(() => world.close())

  async function push(name: string, bytes: number, to = both): Promise<Buffer> {
    const content = world.file('source', bytes)
    const run = await world.run(['push', 'source', '--to', to, '--as', name, '--quiet'])
    expect(run).toMatchObject({ status: 0, stderr: '' })
    return content
  }

  /** Inverts a byte, and sets the time stamps back that programs can set. */
  function flip(node: ServingNode, name: string, at: number): void {
    const path = join(node.data, name)
    const { atime, mtime } = statSync(path)
    invertByte(path, at)
    utimesSync(path, atime, mtime)
  }

  const states = async (...args: string[]): Promise<unknown[]> => {
    const { lines } = await world.run(['ls', ...args, '--json'])
    return lines.map(({ name, state }) => `${name} ${state}`)
  }

  it('is listed, changed behind the back of a node, verified and removed', async () => {
    const content = await push('models/a.bin', MIB + 11)
    await push('b.bin', 3 * MIB)
    const all = await world.run(['ls', both, '--json'])
    expect(all).toMatchObject({ status: 0, stderr: '' })
    expect(all.lines).toHaveLength(4)
    expect(all.lines.filter(({ node }) => node === one.address)[1]).toMatchObject({
      event: 'held',
      name: 'models/a.bin',
      state: 'held',
      bytes: content.length,
      heldBytes: content.length,
      digest: expect.stringMatching(/^blake3:[0-9a-f]{64}$/),
    })
    expect(await states(one.address, '**/a.*')).toEqual(['models/a.bin held'])
    const status = await world.run(['status', one.address, '--json'])
    expect(status.lines[0]).toMatchObject({ held: { files: 2, bytes: 4 * MIB + 11, damaged: 0 } })

    // The last block has 11 bytes.
    flip(two, 'models/a.bin', 70_000)
    flip(two, 'models/a.bin', MIB + 2)
    rmSync(join(two.data, 'b.bin'))
    expect(await states(two.address)).toEqual(['b.bin missing', 'models/a.bin changed'])
    const table = await world.run(['ls', both])
    expect(
      table.stdout.split('\n').filter((line) => / (?:changed|missing) /.test(line)),
    ).toHaveLength(2)

    const verified = await world.run(['verify', both, '--json'])
    expect(verified.status).toBe(3)
    const reports = verified.lines.filter(({ event }) => event === 'verified')
    const of = (node: ServingNode, name: string) =>
      reports.find((report) => report['node'] === node.address && report['name'] === name)
    const good = { status: 'good', code: null, reason: null, badBytes: 0 }
    for (const name of ['models/a.bin', 'b.bin']) expect(of(one, name)).toMatchObject(good)
    expect(of(two, 'models/a.bin')).toMatchObject({
      status: 'failed',
      code: 'ERR_FR_DIGEST',
      badBytes: 65_536 + 11,
    })
    expect(of(two, 'b.bin')).toMatchObject({ status: 'failed', code: 'ERR_FR_NOT_HELD' })
    // What is bad is not held any more, and the file is left alone.
    expect(await states(two.address)).toEqual([])
    expect(existsSync(join(two.data, 'models/a.bin'))).toBe(true)

    const removed = await world.run(['rm', one.address, 'models/a.bin'])
    expect(removed).toMatchObject({
      status: 0,
      stdout: `models/a.bin is removed from ${one.address}\n`,
      stderr: '',
    })
    expect(existsSync(join(one.data, 'models'))).toBe(false)
    const again = await world.run(['rm', both, 'models/a.bin', '--json'])
    expect(again.status).toBe(1)
    expect(again.lines).toHaveLength(2)
    expect(again.lines[0]).toMatchObject({ event: 'error', code: 'ERR_FR_NOT_HELD' })
    const restored = await push('models/a.bin', MIB)
    expect(copyDigest(one, 'models/a.bin')).toBe(sha256(restored))
    expect((await world.run(['verify', both])).status).toBe(0)
  })

  it('is known again after a restart', async () => {
    await push('a.bin', MIB)
    one.kill('SIGKILL')
    await one.ended
    const again = await world.node('n1', ['--listen', one.address])
    expect(await states(again.address)).toEqual(['a.bin held'])
    const { status, stdout } = await world.run(['verify', again.address, 'a.bin'])
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'good    a.bin  1.00 MiB\n' })
  })

  it('is asked of nodes of which some fail', async () => {
    await push('a.bin', 1_000, one.address)
    const gone = '127.0.0.1:1'
    const ls = await world.run(['ls', `${one.address},${gone}`])
    expect(ls.status).toBe(3)
    expect(ls.stdout).toContain('a.bin')
    expect(ls.stderr).toContain(`fr ls: ERR_FR_UNREACHABLE: cannot connect to ${gone}`)
    expect((await world.run(['ls', gone])).status).toBe(1)
    const verify = await world.run(['verify', `${one.address},${gone}`, 'a.bin'])
    expect(verify.status).toBe(3)
    expect((await world.run(['verify', two.address, 'a.bin'])).status).toBe(1)
    // A node that holds nothing has nothing that is wrong.
    expect(await world.run(['verify', two.address])).toMatchObject({ status: 0, stdout: '' })
    const rm = await world.run(['rm', both, 'a.bin'])
    expect(rm.status).toBe(3)
    expect(rm.stderr).toContain(`${two.address}: the node does not hold this file`)
  })

  it('is refused with the wrong key, and for names that are none', async () => {
    const env = { FR_KEY: 'x'.repeat(32) }
    for (const args of [
      ['ls', one.address],
      ['rm', one.address, 'a'],
      ['verify', one.address],
    ])
      expect(await world.run(args, env)).toMatchObject({
        status: 1,
        stdout: '',
        stderr: expect.stringContaining('ERR_FR_AUTH'),
      })
    for (const name of ['../a', '/etc/passwd', '.fastreplica/node-key']) {
      expect(await world.run(['rm', one.address, name])).toMatchObject({ status: 2, stdout: '' })
      expect(await world.run(['verify', both, name])).toMatchObject({ status: 2, stdout: '' })
    }
    const empty = await world.run(['ls', both, ''])
    expect(empty.status).toBe(2)
  })

  it('shows names of control characters written out', async () => {
    await push('a\u001b[31m\nb', 10, one.address)
    const { stdout } = await world.run(['ls', one.address])
    expect(stdout).toContain('a\\x1b[31m\\x0ab')
    expect(stdout).not.toContain('\u001b')
    expect((await world.run(['ls', one.address, '--json'])).lines[0]).toMatchObject({
      name: 'a\u001b[31m\nb',
    })
    expect((await world.run(['rm', one.address, 'a\u001b[31m\nb'])).stdout).toContain('a\\x1b[31m')
  })
})
