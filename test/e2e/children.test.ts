/** Look-ups of names by another program: it gets nothing of the node, and can be missed. */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { push } from '../../src/api/index.js'
import { KIB, MIB } from '../../src/base/limits.js'
import { systemLookup } from '../../src/net/lookup.js'
import { engines } from './engines.js'
import { until, useWorld } from './push-support.js'

const secret = 'a key that nobody but the node may see, of 32 bytes and more'

describe.runIf(process.platform === 'linux').each(engines)('%s engine: a look-up', (engine) => {
  const world = useWorld(engine)

  /** In place of getent, by PATH: writes down what it was given. */
  function spy() {
    const [program, seen] = [join(world.dir, 'getent'), join(world.dir, 'seen')]
    const lines = [
      '#!/bin/sh',
      `for fd in /proc/$$/fd/*; do echo "$\{fd##*/} $(readlink $fd)"; done > '${seen}.new'`,
      `tr '\\0' '\\n' < /proc/$$/environ >> '${seen}.new'`,
      `tr '\\0' ' ' < /proc/$$/cmdline >> '${seen}.new'`,
      `mv '${seen}.new' '${seen}'`,
      'echo "127.0.0.9 STREAM name"',
    ]
    writeFileSync(program, `${lines.join('\n')}\n`, { mode: 0o755 })
    const descriptors = (): number[] => {
      const found = readFileSync(seen, 'utf8').matchAll(/^(\d+) .*$/gm)
      return [...found].map(([, fd]) => Number(fd)).sort((a, b) => a - b)
    }
    return { program, text: () => readFileSync(seen, 'utf8'), descriptors }
  }

  it('has no descriptor of the node, and no key of it', async () => {
    const spied = spy()
    const [path, key] = [process.env['PATH'], process.env['FR_KEY']]
    world.defer(() => {
      process.env['PATH'] = path
      if (key === undefined) delete process.env['FR_KEY']
      else process.env['FR_KEY'] = key
    })
    process.env['PATH'] = `${world.dir}:${path}`
    process.env['FR_KEY'] = secret
    // It would find one, beside those that the shell has and those of the tests.
    const others = Array.from({ length: 40 }, () => 'pipe' as const)
    spawnSync(spied.program, { stdio: others })
    expect(spied.descriptors()).toContain(39)
    expect(spied.text()).toContain(secret)
    const lookUp = () =>
      new Promise((resolve) =>
        systemLookup('a.host', (error, addresses) => resolve(error ?? addresses)),
      )
    expect(await lookUp()).toEqual(['127.0.0.9'])
    const before = spied.descriptors()

    const node = await world.node({ key: secret })
    const file = world.file('a.bin', 8 * MIB)
    const to = [node.address]
    const options = { to, engine, key: secret, limitUpBytesPerSecond: 256 * KIB }
    const transfer = push(file.path, { ...options, retries: 0 })
    await until(() => (node.status().transfers[0]?.landedBytes ?? 0) > 0, 'bytes land')
    expect(readdirSync('/proc/self/fd').length).toBeGreaterThan(16)
    expect(await lookUp()).toEqual(['127.0.0.9'])
    await transfer.cancel()
    expect(spied.descriptors()).toEqual(before)
    expect(spied.text()).toContain('ahosts a.host')
    expect(spied.text()).not.toContain(secret)
  })
})

describe.runIf(process.platform === 'linux')('where no program can be started', () => {
  const world = useWorld('portable')

  it.each([
    ['is none', (_path: string) => {}],
    ['may not be run', (path: string) => writeFileSync(path, '', { mode: 0o644 })],
    // The call itself throws, as where a filter of system calls says EPERM.
    ['leads to itself', (path: string) => symlinkSync('getent', path)],
  ])('names are looked up by the process: getent %s', async (_, make) => {
    const path = process.env['PATH']
    world.defer(() => {
      process.env['PATH'] = path
    })
    process.env['PATH'] = world.dir
    make(join(world.dir, 'getent'))
    const found = await new Promise((resolve) =>
      systemLookup('localhost', (error, addresses) => resolve(error ?? addresses)),
    )
    expect(found).toContain('127.0.0.1')
  })
})
