/** Nodes of one directory: who matches, whatever changes, and what is announced to all of them. */
import { afterAll, describe, expect, it } from 'vitest'
import { freePort } from '../../bench/programs.mjs'
import { client, publish, unpublish } from '../../src/api/index.js'
import { World } from './cli-world.js'
import { useWorld } from './push-support.js'

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 20))
}

describe('a directory', () => {
  const world = useWorld('native')

  it('knows who matches, heals when an inner node is gone, and spreads announcements', async () => {
    const root = await world.node({ name: 'root', attributes: { region: 'eu' }, maxChildren: 2 })
    const start = (name: string, attributes: Record<string, string>) =>
      world.node({ name, attributes, parent: root.address, maxChildren: 2 })
    const b = await start('b', { region: 'eu', tier: 'edge', site: 'x' })
    const found = async (criteria: string, via = b.address): Promise<string[]> => {
      for (;;) {
        const { nodes, isWhole } = await client.where(criteria, { via })
        if (isWhole) return nodes.map(({ name }) => name ?? '').sort()
      }
    }
    const others: Awaited<ReturnType<typeof start>>[] = []
    for (const name of ['c', 'd', 'e', 'f', 'g'])
      others.push(await start(name, { region: 'us', site: 'y' }))
    await until(async () => (await found('region=us')).length === 5)
    expect(await found('region=eu && tier=edge')).toEqual(['b'])
    expect(await found('!site=y && name=*', others[4]?.address)).toEqual(['b', 'root'])
    expect(await client.where('region=moon', { via: root.address })).toMatchObject({
      where: 'region=moon',
      nodes: [],
      asked: 1,
      isWhole: true,
    })

    others[3]?.setAttributes({ region: 'moon' })
    await until(async () => (await found('region=moon')).join() === 'f')
    expect(await found('region=us')).toEqual(['c', 'd', 'e', 'g'])

    const { path } = world.file('film', 1_000)
    const only = { where: 'region=eu && tier=edge', via: b.address }
    await publish(path, { ...only, as: 'film' })
    // The author may withdraw it anywhere, once it is known there.
    await until(() => known(others[4]?.address))
    async function known(via = ''): Promise<boolean> {
      return unpublish('film', { via }).then(
        () => true,
        () => false,
      )
    }
    // `b` hears of it, too.
    await until(async () => !(await known(b.address)))

    // Inner nodes: whoever was below them finds another parent.
    await b.close()
    await others[0]?.close()
    const via = root.address
    await until(async () => (await found('region=us', via)).join() === 'd,e,g')
    expect(await found('region=moon', others[4]?.address)).toEqual(['f'])
  })

  it('has one root where two name each other', async () => {
    const listen = `127.0.0.1:${await freePort()}`
    const a = await world.node({ name: 'a', listen })
    const b = await world.node({ name: 'b', parent: a.address })
    await a.close()
    const again = await world.node({
      ...{ name: 'a2', listen, parent: b.address, attributes: { x: '1' } },
    })
    await until(async () => {
      const { nodes } = await client.where('name=*', { via: again.address })
      return nodes.length === 2
    })
    await until(async () => {
      const { nodes } = await client.where('x', { via: b.address })
      return nodes.map(({ name }) => name).join() === 'a2'
    })
  })
})

const commands = new World()
afterAll(() => commands.close())

it('fr where lists who matches, also once a root is gone and its deputy took over', async () => {
  const world = commands
  const listen = `127.0.0.1:${await freePort()}`
  const start = (name: string, parent: string, ...args: string[]) =>
    world.node(name, ['--name', name, '--parent', parent, ...args])
  const root = await world.node('root', ['--attr', 'region=eu', '--deputy', listen])
  const args = ['--name', 'b', '--parent', root.address, '--attr', 'tier=edge']
  const b = await world.startNode({ name: 'b', listen, args })
  const c = await start('c', root.address, '--attr', 'region=eu')
  const d = await start('d', c.address, '--attr', 'region=eu', '--attr', 'tier=edge')
  const where = (criteria: string, ...more: string[]) =>
    world.run(['where', criteria, '--via', d.address, ...more])
  await until(async () => (await where('tier=edge')).stderr.startsWith('2 match'))
  expect(await where('region=eu && tier=edge')).toMatchObject({
    ...{ status: 0, stdout: `${d.address} d\n` },
    stderr: expect.stringMatching(/^1 match, [34] asked\n$/),
  })
  const status = await world.run(['status', d.address])
  expect(status.stdout).toMatch(new RegExp(`^parent +${c.address}; 0 nodes below$`, 'm'))
  root.kill()
  // Its child c goes to the deputy, and all are one directory again.
  await until(async () => (await where('!region=us && name=*')).stderr.startsWith('3 match'))
  type Line = { event: string; node: string; count?: number; isWhole?: boolean }
  let found: Line[] = []
  await until(async () => {
    found = (await where('tier=edge', '--json')).lines as Line[]
    return found.at(-1)?.isWhole === true
  })
  expect(found.at(-1)).toMatchObject({ event: 'where', count: 2 })
  expect(
    found
      .slice(0, -1)
      .map(({ node }) => node)
      .sort(),
  ).toEqual([b.address, d.address].sort())
  expect((await where('tier=')).stderr).toContain('a value is expected')
  expect((await world.run(['where', 'tier=edge'])).status).toBe(2)
})
