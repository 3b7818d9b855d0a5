/** The benches of real machines, here with nodes on loopback. Their figures mean nothing here. */
import { spawnSync } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { World } from './cli-world.js'

let world: World
let nodesFile: string
const nodes: { readonly address: string; readonly data: string }[] = []

beforeAll(async () => {
  world = new World()
  for (const name of ['one', 'two']) nodes.push(await world.startNode({ name }))
  nodesFile = world.path('nodes.txt')
  writeFileSync(nodesFile, nodes.map(({ address }) => `${address}\n`).join(''))
})
afterAll(() => world.close())

function bench(...args: readonly string[]) {
  const env = { ...process.env, FR_KEY: world.env['FR_KEY'] }
  const options = { encoding: 'utf8', env } as const
  return spawnSync(process.execPath, ['bench/main.mjs', ...args], options)
}

describe('fr-bench on real machines', () => {
  test('lan: the links, then a push to all, its bound and what makes it; nothing is left', () => {
    const { stdout, stderr, status } = bench('lan', '--quick', '--json', '--nodes', nodesFile)
    expect(`${status} ${stderr}`).toMatch(/^0 /)
    const [links, pushes] = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    const addresses = nodes.map(({ address }) => address)
    expect(links).toMatchObject({ suite: 'net', rows: addresses.map((address) => ({ address })) })
    for (const row of links.rows)
      for (const key of ['to', 'back', 'next']) expect(row[key]).toMatch(/^\d+\.\d$/)
    expect(pushes).toMatchObject({
      suite: 'lan',
      rows: [{ name: 'fr push, adaptive' }, { name: 'fr push, unicast' }],
    })
    for (const { ofBound } of pushes.rows) expect(ofBound).toBeGreaterThan(0)
    expect(pushes.notes[0]).toMatch(/^the bound is \d+\.\d\d s .* limited by \S/)
    for (const { data } of nodes)
      expect(readdirSync(data).filter((name) => name !== '.fastreplica')).toEqual([])
  })

  test('disk: what it takes, and which of disk and processor is the limit', () => {
    const { stdout, stderr, status } = bench('disk', '--quick', '--dir', world.path(''))
    expect(`${status} ${stderr}`).toMatch(/^0 /)
    expect(stdout).toMatch(/^written and synced, one file +\d+$/m)
    expect(stdout).toMatch(/^limited by (?:the disk|the processor \(digests\)); the push is at \d/m)
  })

  test('net needs nodes, and says so', () => {
    const { stderr, status } = bench('net', '--quick')
    expect(stderr).toBe('fr-bench net: needs --nodes FILE, a line for each node\n')
    expect(status).toBe(2)
  })
})
