/**
 * `npm run edge -- nodes`: FR_NODES `fr node` processes (30) as one directory, half of them in a
 * region. FR_ROUNDS times (3) a file is published for that region, and nodes with others below them
 * are killed with SIGKILL while it is pulled; then they come back.
 *
 * All that live and qualify have it then, whoever comes back too, and nobody else has a file, a
 * partial or an answer.
 */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { until } from '../../bench/running.mjs'
import { client, fetchStatus, get } from '../../src/api/index.js'
import { copyDigest, MIB, type ServingNode, sha256, World } from '../e2e/cli-world.js'

const count = Number(process.env['FR_NODES'] ?? 30)
const rounds = Number(process.env['FR_ROUNDS'] ?? 3)
const bytes = 24 * MIB
const killed = Math.max(2, Math.floor(count / 10))
const convergesMs = 180_000

interface Member {
  readonly name: string
  readonly isMeant: boolean
  node: ServingNode
  isDead: boolean
}

const started = performance.now()
const said = (text: string) =>
  console.log(`${((performance.now() - started) / 1000).toFixed(1)} s: ${text}`)

test(`nodes: ${count} pull what they qualify for while inner nodes are killed`, {
  timeout: 900_000,
}, async () => {
  await using world = Object.assign(new World(), {
    [Symbol.asyncDispose]: async () => world.close(),
  })
  const key = world.env['FR_KEY'] as string
  const members: Member[] = []
  const start = (at: number, listen?: string): Promise<ServingNode> => {
    const place = at === 0 ? [] : ['--parent', (members[0] as Member).node.address]
    const said = ['--attr', `region=${at % 2 === 0 ? 'us' : 'eu'}`, '--attr', `rack=r${at % 5}`]
    const args = [...place, ...said, '--max-children', '3', '--limit-up', '60Mbit']
    const more = ['--name', `n${at}`, '--log-level', 'error', ...args]
    return world.startNode({ name: `n${at}`, ...(listen && { listen }), args: more })
  }
  for (let at = 0; at < count; at++)
    members.push({ name: `n${at}`, isMeant: at % 2 === 1, node: await start(at), isDead: false })
  const [root, initiator] = members as [Member, Member]
  const living = () => members.filter(({ isDead }) => !isDead)
  const counted = async (): Promise<number> => {
    const { nodes } = await client.where('name=*', { via: root.node.address, key })
    return nodes.length
  }
  await until(async () => (await counted()) === count, 'all are one directory', convergesMs, 200)
  said(`${count} nodes are one directory`)
  for (let round = 1; round <= rounds; round++) {
    const name = `film-${round}`
    const digest = sha256(world.file(name, bytes))
    const sentBefore = (await statusOf(initiator)).counters.sentBytes ?? 0
    const atMs = performance.now()
    const via = ['--via', initiator.node.address, '--quiet']
    const publishing = world.fr(['publish', name, '--where', 'region=eu', ...via])
    await publishing.succeed('fr publish')
    const others = members.filter((one) => one.isMeant && one !== initiator)
    const isBegun = ({ node: { data } }: Member): boolean => {
      const partials = join(data, '.fastreplica/partials')
      return (
        existsSync(join(data, name)) || (existsSync(partials) && readdirSync(partials).length > 0)
      )
    }
    await until(() => others.some(isBegun), 'somebody pulls it', convergesMs)
    const inner: Member[] = []
    for (const member of members.slice(2))
      if ((await statusOf(member)).directory.children > 0) inner.push(member)
    expect(inner.length).toBeGreaterThan(0)
    const dying = inner.slice(round % 2).slice(0, killed)
    for (const member of dying) {
      member.isDead = true
      member.node.kill('SIGKILL')
    }
    await Promise.all(dying.map(({ node }) => node.ended))
    const wants = () => living().filter(({ isMeant }) => isMeant)
    const isThere = (each: Member) => existsSync(join(each.node.data, name))
    await until(() => wants().every(isThere), 'all that live have it', convergesMs, 50)
    const seconds = ((performance.now() - atMs) / 1000).toFixed(1)
    for (const member of dying) {
      const at = members.indexOf(member)
      member.node = await start(at, member.node.address)
      member.isDead = false
    }
    await until(() => wants().every(isThere), 'who came back has it', convergesMs, 50)
    await until(async () => (await counted()) === count, 'one directory again', convergesMs, 200)
    for (const { node, isMeant } of members)
      expect(copyDigest(node, name)).toBe(isMeant ? digest : null)
    const sent = ((await statusOf(initiator)).counters.sentBytes ?? 0) - sentBefore
    said(
      `round ${round}: ${dying.map((one) => one.name).join(', ')} killed; all that live had it ` +
        `after ${seconds} s, ${(sent / bytes).toFixed(2)} x the file left the first node`,
    )
  }
  // Nobody else was ever given anything, and asks in vain.
  for (const { node, isMeant } of members) {
    if (isMeant) continue
    const held = client.list(node.address, { key })
    for await (const { name } of held) throw new Error(`${node.data} holds ${name}`)
  }
  const output = world.path('got')
  const asking = get('film-1', { from: [initiator.node.address], key, output }).result
  await expect(asking).rejects.toMatchObject({ code: 'ERR_FR_ONLY' })

  function statusOf({ node }: Member) {
    return fetchStatus(node.address, { key })
  }
})
