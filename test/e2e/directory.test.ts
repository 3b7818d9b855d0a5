/** Nodes of one directory: who matches, whatever changes, and what is announced to all of them. */
import { describe, expect, it } from 'vitest'
import { client, publish, unpublish } from '../../src/api/index.js'
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
      const { nodes, isWhole } = await client.where(criteria, { via })
      return isWhole ? nodes.map(({ name }) => name ?? '').sort() : []
    }
    const others: Awaited<ReturnType<typeof start>>[] = []
    for (const name of ['c', 'd', 'e', 'f', 'g'])
      others.push(await start(name, { region: 'us', site: 'y' }))
    await until(async () => (await found('region=us')).length === 5)
    expect(await found('region=eu && tier=edge')).toEqual(['b'])
    expect(await found('!site=y && name=*', others[4]?.address)).toEqual(['b', 'root'])
    const none = await client.where('region=moon', { via: root.address })
    expect(none).toMatchObject({ where: 'region=moon', nodes: [], asked: 1, isWhole: true })

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
  }, 60_000)

  it('has one root where two name each other', async () => {
    const a = await world.node({ name: 'a' })
    const b = await world.node({ name: 'b', parent: a.address })
    await a.close()
    const again = await world.node({
      ...{ name: 'a2', listen: a.address, parent: b.address, attributes: { x: '1' } },
    })
    await until(async () => {
      const { nodes } = await client.where('name=*', { via: again.address })
      return nodes.length === 2
    })
    const { nodes } = await client.where('x', { via: b.address })
    expect(nodes.map(({ name }) => name)).toEqual(['a2'])
  }, 30_000)
})
