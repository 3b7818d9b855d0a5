/** `fr simulate` as a process: its figures, its picture, and what it refuses. */
import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { World } from './cli-world.js'

let world: World
beforeEach(() => {
  world = new World()
})
afterEach(() => world.close())

const push = ['--nodes', '40', '--size', '20MB', '--uplink', '1Gbit']

it('prints one object, and draws the push', async () => {
  const args = [
    'simulate',
    ...push,
    '--latency',
    '0.3',
    '--seed',
    '3',
    '--plot',
    'out.svg',
    '--json',
  ]
  const { status, lines } = await world.run(args)
  expect(status).toBe(0)
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatchObject({
    event: 'result',
    nodes: 40,
    complete: 40,
    shape: 'chain',
    seed: 3,
  })
  const svg = readFileSync(`${world.directory}/out.svg`, 'utf8')
  expect(svg).toMatch(/^<svg /)
  for (const text of ['Nodes that are complete', 'Part of the uplinks in use', 'who feeds them'])
    expect(svg).toContain(text)
  // Circles of the three groups.
  expect(svg.match(/<path [^>]*d="M1 0A1 1/g)?.length).toBeGreaterThanOrEqual(3)
})

it('prints a table; the status tells that a node died', async () => {
  const run = await world.run(['simulate', ...push, '--kill', '2@0.1s'])
  expect(run.status).toBe(3)
  expect(run.stdout).toMatch(/^bound +0\.160s/m)
  expect(run.stdout).toMatch(/^complete +39: first/m)
  expect(run.stdout).toMatch(/^failed +1 node: ERR_FR_NODE_LOST/m)
})

it.each([
  [['--nodes', '0', '--size', '1GB', '--uplink', '1Gbit'], "'0' is not a whole number from 1"],
  [['--nodes', '9', '--size', '0', '--uplink', '1Gbit'], 'a file without bytes'],
  [['--nodes', '9', '--size', '1GB', '--uplink', '999Tbit'], 'faster than any link'],
  [['--nodes', '9', '--size', '1GB'], '--uplink <rate>'],
  [['--size', '1GB', '--uplink', '1Gbit'], 'either --nodes N or --nodes-file'],
  [[...push, '--shape', 'star'], 'Allowed choices are'],
  [[...push, '--kill', '7'], 'is not N@TIME'],
  [[...push, '--kill', '41@1s'], 'kill[0].node must be a whole number from 1 to 40'],
  [[...push, '--plot', 'no/where.svg'], '--plot: ENOENT'],
  [[...push, '--topology', 'x'], '--topology and --sets go together'],
  [[...push, '--topology', 'x', '--sets', 'y', '--shape', 'tree'], '--shape is of a push'],
])('refuses %j', async (args, text) => {
  const { status, stderr, stdout } = await world.run(['simulate', ...args])
  expect([status, stdout]).toEqual([2, ''])
  expect(stderr).toContain(text)
})

it('simulates a master that brings sets over links between sites', async () => {
  const wan = `${import.meta.dirname}/../../examples/wan`
  const master = ['--topology', `${wan}/topology.yaml`, '--sets', `${wan}/sets`]
  const nodes = ['--nodes', '6', '--size', '10MB', '--uplink', '1Gbit']
  const { status, lines } = await world.run(['simulate', ...master, ...nodes, '--json'])
  expect(status).toBe(0)
  // Two files for each of six nodes, one more in two of the three sites; the first node has them.
  expect(lines).toMatchObject([
    { event: 'result', sites: 3, nodes: 6, files: 3, missing: 0, bytes: 140e6 },
  ])
  // Each of them comes into a site once.
  expect(lines[0]).toMatchObject({ crossedBytes: 60e6 })
  const { seconds, cost } = lines[0] as { seconds: number; cost: number }
  expect(seconds).toBeGreaterThan(0)
  expect(cost).toBeGreaterThan(0)
})
