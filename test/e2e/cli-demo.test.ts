/** A small run of the demo in the README. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Running, root, World } from './cli-world.js'

let world: World
beforeAll(() => {
  world = new World()
})
afterAll(() => world.close())

const demo = (...args: string[]): Running =>
  world.start(process.execPath, [join(root, 'scripts/demo.mjs'), ...args])

function directoryOf(run: Running): string {
  const directory = /random bytes in (\S+)$/m.exec(run.stderr)?.[1]
  if (directory === undefined) throw new Error(`no directory in: ${run.stderr}`)
  return directory
}

describe('scripts/demo.mjs', () => {
  it('pushes, compares every copy, shows what it cost, and cleans up', async () => {
    const run = demo('--size', '24MiB', '--nodes', '3')
    expect([await run.ended, run.stderr]).toEqual([0, expect.anything()])
    expect(run.stderr).toContain('3 nodes serve: ')
    expect(run.stderr).toMatch(/^3 of 3 nodes complete in \S+s, 24\.0 MiB each/m)
    const rows = run.stdout.match(/^127\.0\.0\.1:\d+ +complete +\d+\.\d{3} +.*B\/s +equal$/gm)
    expect(rows).toHaveLength(3)
    expect(run.stdout).toMatch(/^source +24\.0 MiB, SHA-256 [0-9a-f]{64}$/m)
    expect(run.stdout).toMatch(/^complete +3 of 3 nodes in \d+\.\d{3} s$/m)
    expect(run.stdout).toMatch(/^delivered +\d+\.\d\d GB\/s$/m)
    expect(run.stdout).toMatch(/^of the limit +(\d+\.\d{3} of the bare data movement|- )/m)
    // Only the push's own figure may be called efficiency.
    expect(run.stdout).not.toContain('efficiency')
    expect(run.stderr.match(/efficiency \d/g)?.length ?? 0).toBeLessThanOrEqual(1)
    expect(run.stdout).toMatch(/^CPU-s per GB +\d+\.\d\d/m)
    expect(existsSync(directoryOf(run))).toBe(false)
  })

  it('cleans up when it is stopped, whatever it was doing', async () => {
    const run = demo('--size', '64MiB', '--nodes', '2')
    await run.until('serving nodes', () => run.stderr.includes('nodes serve: '))
    const directory = directoryOf(run)
    expect(existsSync(directory)).toBe(true)
    run.kill('SIGINT')
    expect(await run.ended).toBe(130)
    expect(existsSync(directory)).toBe(false)
    const early = demo('--size', '512MiB')
    await early.until('directory', () => early.stderr.includes('random bytes in'))
    early.kill('SIGTERM')
    expect(await early.ended).toBe(143)
    expect(existsSync(directoryOf(early))).toBe(false)
  })

  it('shows a push on the page of a node, until it is stopped', async () => {
    const run = demo('--page', '--size', '16MiB', '--nodes', '2')
    await run.until('the page', () => run.stdout.includes('Ctrl-C'))
    const origin = /^The page: (http:\/\/127\.0\.0\.1:\d+)\/$/m.exec(run.stdout)?.[1]
    expect(await (await fetch(`${origin}/`)).text()).toContain('<title>fastreplica</title>')
    const asked = async (path: string) =>
      JSON.parse(await (await fetch(`${origin}/api/v1${path}`)).text())
    const { items } = await asked('/transfers')
    expect(items).toMatchObject([{ kind: 'push', name: 'film.bin', state: 'running' }])
    const { dataDir } = await asked('/node')
    run.kill('SIGINT')
    expect(await run.ended).toBe(130)
    expect(existsSync(dataDir)).toBe(false)
  })

  it('refuses what it does not know', async () => {
    for (const args of [['--size', 'big'], ['--nodes', '0'], ['--colour']]) {
      const run = demo(...args)
      expect([await run.ended, run.stdout]).toEqual([2, ''])
      expect(run.stderr).toContain('usage: npm run demo [-- --size 1GiB --nodes 4 --page]')
    }
  })
})
