/**
 * `npm run edge -- sites`: contents by criteria at three sites of two nodes, in namespaces (root):
 * each link between two sites carries the file about once at most.
 */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../../bench/running.mjs'
import { type NodeProcess, sameContent, Workspace } from '../../bench/workspace.mjs'
import { WanLab } from '../net/wan-lab.js'
import type { Wire } from '../net/wire.js'

const bytes = 16e6
const mbit = { 'a-b': 100, 'b-c': 100, 'a-c': 100 }
/** Of the file, with the headers of all packets and what is said beside it. */
const overMost = 1.1

let wan: WanLab
let workspace: Workspace
let nodes: readonly NodeProcess[] = []
let wire: Wire

beforeAll(async () => {
  wan = new WanLab(mbit)
  workspace = new Workspace(8 * bytes)
  const keyFile = workspace.keyFile()
  const hosts = wan.nodeHosts.filter(({ name }) => /[12]$/.test(name))
  const start = async ({ host, name }: (typeof hosts)[number]): Promise<NodeProcess> => {
    const parent = name === 'a1' ? [] : ['--parent', `${wan.lab.address(1)}:7400`]
    return workspace.startNode({
      ...{ name, keyFile, prefix: wan.lab.prefix(host) },
      listen: `${wan.lab.address(host)}:7400`,
      args: [...parent, '--attr', `site=${name[0]}`, '--log-level', 'error'],
    })
  }
  nodes = await Promise.all(hosts.map(start))
  wire = await wan.watch()
})

afterAll(async () => {
  await wire?.end()
  await workspace?.close()
  wan?.close()
})

test('sites: what is published comes into each site about once', async () => {
  const source = await workspace.randomFile('film', bytes)
  const [first] = nodes as [NodeProcess, ...NodeProcess[]]
  const fr = (...words: string[]) => {
    const asked = [...words, '--via', first.address, '--key-file', workspace.path('key'), '--json']
    return workspace.fr(asked, { prefix: wan.lab.prefix(1) })
  }
  const isOne = async (): Promise<boolean> => {
    const asking = fr('where', 'site')
    await asking.ended
    return asking.lines.at(-1)?.['count'] === nodes.length
  }
  await until(isOne, 'all are one directory', 60_000, 100)
  const before = wire.samples.at(-1)?.values ?? []
  await fr('publish', source, '--where', 'site', '--quiet').succeed('fr publish')
  const copies = nodes.map(({ data }) => path.join(data, 'film'))
  await until(() => copies.every((copy) => existsSync(copy)), 'all have it', 60_000, 50)
  for (const copy of copies) expect(sameContent(source, copy)).toBe(true)
  const seen = wire.samples.length
  await until(() => wire.samples.length > seen + 1, 'it is counted')
  const after = wire.samples.at(-1)?.values ?? []
  const carried = new Map(
    wan.links.map(({ name }, at) => {
      return [name, ((after[at] ?? Number.NaN) - (before[at] ?? Number.NaN)) / bytes] as const
    }),
  )
  const into = (site: string) =>
    [...carried].reduce((sum, [name, share]) => (name.endsWith(site) ? sum + share : sum), 0)
  console.log([...carried].map(([name, share]) => `${name} ${share.toFixed(2)}`).join(', '))
  for (const [name, share] of carried) expect(share, name).toBeLessThanOrEqual(overMost)
  for (const site of ['b', 'c']) expect(into(site), site).toBeGreaterThanOrEqual(1)
})
