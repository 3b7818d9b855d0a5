/**
 * No command leaves a file handle to garbage collection, and none uses deprecated Node features:
 * every process here collects garbage at its end and dies of such a warning.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { listOf, type ServingNode, World } from './cli-world.js'
import { usualEngines } from './engines.js'

const collect = fileURLToPath(new URL('./collect.mjs', import.meta.url))
const env = {
  NODE_OPTIONS: `--import=${collect} --throw-deprecation --pending-deprecation --trace-warnings`,
}

describe.each(usualEngines)('on the %s engine', (engine) => {
  let world: World
  let nodes: ServingNode[]
  beforeAll(async () => {
    world = new World()
    const args = ['--engine', engine, '--key-file', 'fr.key']
    await expectRun(['keygen', '--out', 'fr.key'], 0)
    nodes = await Promise.all(['n1', 'n2'].map((name) => world.node(name, args, env)))
    world.file('f.bin', 3 * 1024 * 1024 + 1)
    writeFileSync(world.path('nodes.txt'), `${nodes.map((node) => node.address).join('\n')}\n`)
    writeFileSync(world.path('long.txt'), '#'.repeat(2 * 1024 * 1024))
    mkdirSync(world.path('folder'))
  })
  afterAll(() => world.close())

  async function expectRun(args: readonly string[], status: number): Promise<void> {
    const run = await world.run(args, env)
    expect([args, run.status, run.stderr]).toEqual([args, status, expect.any(String)])
    expect(run.stderr).not.toMatch(/\(node:\d+\)/)
  }

  it('the check finds a handle that is left', async () => {
    const script = 'require("node:fs").promises.open("/dev/null").then(() => {})'
    const run = world.start(process.execPath, ['-e', script], { env })
    expect(await run.ended).not.toBe(0)
    expect(run.stderr).toContain('DEP0137')
  })

  it('every command closes what it opens, also when it is refused', async () => {
    const key = ['--key-file', 'fr.key']
    const push = ['push', 'f.bin', '--engine', engine, ...key]
    const to = ['--to', listOf(nodes)]
    await expectRun([...push, '--nodes', 'nodes.txt', '--trace', 'out.json'], 0)
    await expectRun([...push, ...to, '--as', 'sub/f', '--digest', 'sha256'], 0)
    await expectRun([...push, ...to, '--no-clobber'], 1)
    await expectRun([...push, ...to, '--trace', 'f.bin'], 2)
    await expectRun([...push, '--nodes', 'long.txt'], 2)
    await expectRun([...push, '--nodes', 'folder'], 2)
    await expectRun(['push', 'folder', '--engine', engine, ...key, ...to], 0)
    await expectRun(['push', 'folder', '--allow-add', '--engine', engine, ...key, ...to], 2)
    await expectRun(['push', 'f.bin', ...to, '--key-file', 'nodes.txt'], 1)
    await expectRun(['keygen', '--out', 'fr.key'], 1)
    await expectRun(['digest', 'f.bin'], 0)
    await expectRun(['status', nodes[0]?.address ?? '', ...key], 0)
    for (const node of nodes) {
      node.kill('SIGTERM')
      expect([await node.ended, node.stderr]).toEqual([143, expect.any(String)])
      expect(node.stderr).not.toMatch(/\(node:\d+\)/)
    }
  })
})
