/** `fr master` as a process: what it prints and how it refuses. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { root, World } from './cli-world.js'

let world: World
beforeAll(() => {
  world = new World()
})
afterAll(() => world.close())

describe('fr master', () => {
  it('says where it serves, keeps its identity, and is one in its directory', async () => {
    const data = world.path('master')
    const args = ['master', '--listen', '127.0.0.1:0', '--data', data, '--json']
    const first = world.fr(args)
    await first.until('listening line', () => first.lines.length > 0)
    const second = await world.run(args)
    expect(second.status).toBe(1)
    expect(second.stderr).toMatch(/^fr master: ERR_FR_DATA_DIR_LOCKED: /m)
    first.kill('SIGTERM')
    expect(await first.ended).toBe(143)
    const again = world.fr(args)
    await again.until('listening line', () => again.lines.length > 0)
    expect(again.lines[0]).toMatchObject({
      ...{ event: 'listening', nodeId: first.lines[0]?.['nodeId'] },
      address: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
    })
    const status = await world.run(['status', String(again.lines[0]?.['address'])])
    expect(status.stdout).toMatch(/ is a master: 0 of 0 nodes are here, 0 copies run$/m)
    again.kill('SIGTERM')
    await again.ended
  })

  it('names what is wrong in its documents, with the place', async () => {
    mkdirSync(world.path('sets'))
    const text =
      'apiVersion: fastreplica/v1\nkind: FileSet\nmetadata: {name: a}\nspec: {fils: []}\n'
    writeFileSync(world.path('sets/a.yaml'), text)
    const args = ['--listen', '127.0.0.1:0', '--data', world.path('bad')]
    const wrong = await world.run(['master', ...args, '--sets', world.path('sets')])
    expect(wrong.status).toBe(1)
    expect(wrong.stderr).toMatch(/ERR_FR_DOCUMENT: .*sets\/a\.yaml:4:\d+: /)
    const none = await world.run(['master', ...args, '--topology', world.path('nothing')])
    expect(none.stderr).toMatch(/ERR_FR_DOCUMENT: .*nothing: /)
    const missing = await world.run(['master', '--listen', '127.0.0.1:0'])
    expect(missing.status).toBe(2)
    expect(missing.stderr).toMatch(/--data is required/)
  })

  it('takes sets, tells of them, and has them again after it was killed', async () => {
    const data = world.path('asked')
    const topology = `${root}/examples/wan/topology.yaml`
    const own = world.path('own')
    mkdirSync(own)
    const head = 'apiVersion: fastreplica/v1\nkind: FileSet\nmetadata: {name: a}\n'
    writeFileSync(join(own, 'a.yaml'), `${head}spec: {where: site, files: [f]}\n`)
    const to = ['--data', data, '--sets', own, '--json']
    const args = ['master', '--listen', '127.0.0.1:0', ...to]
    const first = world.fr([...args, '--topology', topology])
    await first.until('listening line', () => first.lines.length > 0)
    let via = ['--via', String(first.lines[0]?.['address'])]
    const models = `${root}/examples/wan/sets`
    const applied = await world.run(['sets', 'apply', models, ...via, '--json'])
    expect([applied.status, applied.lines[0]]).toMatchObject([0, { event: 'sets', isKept: true }])
    const status = await world.run(['sets', 'status', ...via, '--json'])
    expect(status.lines.map(({ set }) => set).sort()).toEqual(['a', 'maps', 'models'])
    // What is deleted in its own directory goes; what was applied stays.
    rmSync(join(own, 'a.yaml'))
    first.kill('SIGKILL')
    await first.ended
    const again = world.fr([...args, '--topology', topology])
    await again.until('listening line', () => again.lines.length > 0)
    via = ['--via', String(again.lines[0]?.['address'])]
    const [diff, links, explain] = await Promise.all([
      world.run(['sets', 'diff', `${models}/models.yaml`, '--prune', ...via]),
      world.run(['links', ...via]),
      world.run(['explain', 'fra-1', 'maps/world.bin', ...via]),
    ])
    expect([diff.status, diff.stdout]).toEqual([0, 'no difference\n'])
    expect(links.stdout).toMatch(/^link +ams-sin-direct +\S+ .B\/s +0 B\/s /m)
    expect(explain.status).toBe(1)
    expect(explain.stderr).toMatch(/^fr explain: ERR_FR_NO_NODE: .*no node "fra-1" has joined/)
    again.kill('SIGTERM')
    await again.ended
  })
})
