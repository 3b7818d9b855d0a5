/** Output that cannot be written ends nothing: full disks under logs and results. */
import { existsSync, mkdirSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { copyDigest, main, type Running, type ServingNode, sha256, World } from './cli-world.js'

let world: World
beforeEach(() => {
  world = new World()
})
afterEach(() => world.close())

/** A command whose stdout or stderr is on a full disk. */
function mute(stream: 1 | 2, args: readonly string[]): Running {
  const script = `exec "$@" ${stream}>/dev/full`
  return world.start('bash', ['-c', script, 'bash', process.execPath, main, ...args])
}

describe.runIf(existsSync('/dev/full'))('on a disk that is full', () => {
  it('the log of a node is lost, and nothing else', async () => {
    const data = world.path('data')
    mkdirSync(data)
    const node = mute(2, ['node', '--listen', '127.0.0.1:0', '--data', data, '--json'])
    await node.until('listening line', () => node.lines.length > 0)
    const address = String(node.lines[0]?.['address'])
    for (const name of ['one', 'two']) {
      const content = world.file(name, 100_000)
      expect(await world.run(['push', name, '--to', address])).toMatchObject({ status: 0 })
      expect(copyDigest({ data } as ServingNode, name)).toBe(sha256(content))
    }
    node.kill('SIGTERM')
    expect(await node.ended).toBe(143)
  })

  it('what a push says is lost, and the file arrives', async () => {
    const node = await world.node('n')
    const content = world.file('f', 100_000)
    const push = mute(2, ['push', 'f', '--to', node.address])
    expect(await push.ended).toBe(0)
    expect(copyDigest(node, 'f')).toBe(sha256(content))
  })

  it('a result that cannot be written is exit 1, in one line, and the file arrives', async () => {
    const node = await world.node('n')
    const content = world.file('f', 100_000)
    const push = mute(1, ['push', 'f', '--to', node.address, '--json'])
    expect(await push.ended).toBe(1)
    expect(copyDigest(node, 'f')).toBe(sha256(content))
    expect(push.stderr.match(/ENOSPC/g)).toHaveLength(1)
    expect(push.stderr).toMatch(/^fr: stdout: ENOSPC/m)
    expect(push.stderr).not.toMatch(/^ {4}at /m)
    for (const args of [['--help'], ['status', node.address], ['digest', 'f']]) {
      const command = mute(1, args)
      expect(await command.ended, args.join(' ')).toBe(1)
      expect(command.stderr).toMatch(/^fr: stdout: ENOSPC[^\n]*\n$/)
    }
  })
})
