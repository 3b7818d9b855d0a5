/** A published content goes on to all that live when processes are killed in the middle of it. */
import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { until } from '../../bench/running.mjs'
import { MIB, sameContent, Workspace } from '../../bench/workspace.mjs'

const name = 'film.bin'
const workspaces: Workspace[] = []
afterEach(async () => {
  for (const each of workspaces.splice(0)) await each.close()
})

it('reaches all that live, and who comes back, when inner nodes are killed', {
  timeout: 240_000,
}, async () => {
  const workspace = new Workspace(200 * MIB)
  workspaces.push(workspace)
  const quiet = ['--log-level', 'error']
  const root = await workspace.startNode({ name: 'root', args: [...quiet, '--max-children', '2'] })
  const common = [...quiet, '--attr', 'tier=edge', '--limit-up', '24Mbit', '--max-children', '2']
  const args = [...common, '--parent', root.address]
  const first = await workspace.startNode({ name: 'first', args })
  const others = await workspace.startNodes(5, { args })
  const source = await workspace.randomFile('source', 6 * MIB)
  const counted = async (): Promise<number> => {
    const asking = workspace.fr(['where', 'tier=edge', '--via', root.address, '--json'])
    await asking.ended
    return asking.lines.at(-1)?.['count'] ?? 0
  }
  await until(async () => (await counted()) === 6, 'all are linked', 30_000, 50)
  const via = ['--via', first.address, '--as', name]
  const publishing = workspace.fr(['publish', source, '--where', 'tier=edge', ...via])
  await publishing.succeed('fr publish')
  const isBegun = ({ data }: { readonly data: string }): boolean => {
    const partials = path.join(data, '.fastreplica/partials')
    const isThere = existsSync(path.join(data, name))
    return isThere || (existsSync(partials) && readdirSync(partials).length > 0)
  }
  await until(() => others.every(isBegun), 'all pull it', 30_000)
  const [gone, back, ...left] = others
  if (gone === undefined || back === undefined) throw new Error('no nodes')
  for (const node of [gone, back]) node.kill()
  await Promise.all([gone.ended, back.ended])
  const { data } = back
  const again = workspace.fr(['node', '--listen', '127.0.0.1:0', '--data', data, '--json', ...args])
  await again.ready('the node')
  const copies = [data, ...left.map((node) => node.data)].map((each) => path.join(each, name))
  await until(() => copies.every((copy) => existsSync(copy)), 'all have it', 60_000, 20)
  for (const copy of copies) expect(sameContent(source, copy)).toBe(true)
  expect(existsSync(path.join(root.data, name))).toBe(false)
})
