/** Real nodes that switch a name together, while nodes and authors are killed. */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { until } from '../../bench/running.mjs'
import { Inquiry } from '../../src/agent/client.js'
import { decreeId } from '../../src/agent/commit-author.js'
import type { Decree } from '../../src/control/messages/commit.js'
import { freshSigner, selfOf } from '../../src/net/crypto.js'
import { parseKey } from '../../src/net/keys.js'
import { Resolver } from '../../src/net/resolver.js'
import { CommitRecords, type KeptDecision } from '../../src/store/commits/commit-records.js'
import { copyDigest, listOf, type ServingNode, sha256, World } from './cli-world.js'

const bytes = 300_000

describe('nodes that switch together', () => {
  let world: World
  beforeEach(() => {
    world = new World()
  })
  afterEach(() => world.close())

  const nodesWith = (count: number, args: readonly string[] = []): Promise<ServingNode[]> =>
    Promise.all(Array.from({ length: count }, (_, at) => world.node(`n${at + 1}`, args)))

  /** The same node at the same place, after it was killed. */
  const again = (node: ServingNode, at: number, args: readonly string[] = []) =>
    world.startNode({ name: `n${at + 1}`, listen: node.address, args })

  async function push(to: readonly ServingNode[], ...more: string[]) {
    const content = sha256(world.file('source', bytes))
    const args = ['push', 'source', '--to', listOf(to), '--as', 'model', '--json', ...more]
    const run = await world.run(args)
    return { ...run, content, result: run.lines.at(-1) }
  }

  const shown = (nodes: readonly ServingNode[]) => nodes.map((node) => copyDigest(node, 'model'))

  const isCalm = async (nodes: readonly ServingNode[]): Promise<boolean> => {
    const statuses = await Promise.all(
      nodes.map(({ address }) => world.run(['status', address, '--json'])),
    )
    return statuses.every(({ lines }) => lines[0]?.['decisions']?.length === 0)
  }

  it('have the file at once or not at all, and go back in the same way', async () => {
    const nodes = await nodesWith(3, ['--keep', '1'])
    const first = await push(nodes, '--commit', 'all')
    expect([first.status, shown(nodes)]).toEqual([0, nodes.map(() => first.content)])
    const second = await push(nodes, '--commit', 'all')
    expect([second.status, shown(nodes)]).toEqual([0, nodes.map(() => second.content)])
    const committed = { mode: 'all', verdict: 'committed', waitsFor: [] }
    expect(second.result).toMatchObject({ commit: committed })
    const outcomes = second.lines.filter(({ event }) => event === 'node')
    expect(outcomes.map(({ status }) => status)).toEqual(['complete', 'complete', 'complete'])
    // One that has no room.
    const full = await world.node('full', ['--min-free', '1000TB'])
    const third = await push([...nodes, full], '--commit', 'all', '--retries', '0')
    expect(third.status).toBe(1)
    expect(third.result).toMatchObject({ commit: { id: null, verdict: 'aborted' } })
    const codes = third.result?.['nodes'].map(({ code }: { code: string }) => code)
    const stays = nodes.map(() => 'ERR_FR_NOT_COMMITTED')
    expect(codes).toEqual([...stays, 'ERR_FR_NO_SPACE'])
    expect(shown([...nodes, full])).toEqual([...nodes.map(() => second.content), null])
    // Nothing is left of it, and the one before is there.
    const back = await world.run(['rollback', listOf(nodes), 'model', '--commit', 'all', '--json'])
    expect(back).toMatchObject({ status: 0, lines: [{ commit: { verdict: 'committed' } }] })
    expect(shown(nodes)).toEqual(nodes.map(() => first.content))
    const kept = await world.run(['versions', listOf(nodes), 'model', '--json'])
    expect(kept.lines).toHaveLength(2 * nodes.length)
  })

  it('do without one that is away, which comes to their version by itself', async () => {
    const nodes = await nodesWith(3)
    const [, , away] = nodes as [ServingNode, ServingNode, ServingNode]
    const first = await push(nodes)
    away.kill('SIGKILL')
    await away.ended
    const quick = ['--retries', '0', '--rejoin', '0s', '--connect-timeout', '2s']
    const none = await push(nodes, '--commit', 'all', ...quick)
    expect([none.status, shown(nodes)]).toEqual([1, nodes.map(() => first.content)])
    const second = await push(nodes, '--commit', 'quorum', ...quick)
    expect(second.status).toBe(3)
    expect(second.result).toMatchObject({
      commit: { verdict: 'committed', waitsFor: [away.address] },
    })
    expect(shown(nodes)).toEqual([second.content, second.content, first.content])
    const back = await again(away, 2)
    await until(() => shown([back])[0] === second.content, 'it has their version', 60_000)
    await until(() => isCalm([...nodes.slice(0, 2), back]), 'nobody waits for anything')
  })

  const votes = ({ data }: ServingNode): string[] =>
    readdirSync(join(data, '.fastreplica/commits')).sort()

  it('leave one that was away with what it was pushed since', async () => {
    const nodes = await nodesWith(3)
    const [one, two, away] = nodes as [ServingNode, ServingNode, ServingNode]
    await push(nodes)
    away.kill('SIGKILL')
    await away.ended
    const quick = ['--retries', '0', '--rejoin', '0s', '--connect-timeout', '2s']
    const second = await push(nodes, '--commit', 'quorum', ...quick)
    expect(second.result).toMatchObject({ commit: { verdict: 'committed' } })
    for (const node of [one, two]) node.kill('SIGKILL')
    await Promise.all([one.ended, two.ended])
    const back = await again(away, 2)
    const third = await push([back], ...quick)
    expect(third.status).toBe(0)
    const all = [await again(one, 0), await again(two, 1), back]
    await until(() => all.every((node) => votes(node).join() === 'state'), 'all are told', 60_000)
    expect(shown(all)).toEqual([second.content, second.content, third.content])
    // The next decision is one of all of them.
    const fourth = await push(all, '--commit', 'all')
    expect([fourth.status, shown(all)]).toEqual([0, all.map(() => fourth.content)])
  })

  /** Asks all to prepare, and is gone. Resolves to the id of the decision. */
  async function prepare(nodes: readonly ServingNode[], fileDigest: string): Promise<string> {
    const self = selfOf(freshSigner())
    const key = parseKey(world.env['FR_KEY'] as string)
    const dialler = { keys: [key], self, connectMs: 5_000, resolver: new Resolver() }
    const members = await Promise.all(
      nodes.map(async ({ address }) => {
        const { lines } = await world.run(['status', address, '--json'])
        return { nodeId: String(lines[0]?.['nodeId']), address }
      }),
    )
    const id = decreeId(Date.now())
    const name = { name: 'model', nameIsBase64: false }
    const decree: Decree = { id, ...name, mode: 'all', fileDigest, members }
    const within = { timeoutMs: 10_000, signal: undefined }
    const answers = await Promise.all(
      nodes.map(async ({ address }) => {
        const inquiry = new Inquiry(dialler, address)
        const question = { type: 'prepare', decree, isNew: false } as const
        const answer = await inquiry.ask(question, 'voted', within, 'verifying')
        inquiry.close()
        return answer
      }),
    )
    for (const { frame, never } of answers) expect([frame?.type, never]).toEqual(['promised', null])
    return id
  }

  it('go on without the author once all are ready, whoever is killed then', async () => {
    const keep = ['--keep', '1']
    let nodes = await nodesWith(5, keep)
    const first = await push(nodes)
    const second = await push(nodes)
    const { lines } = await world.run(['versions', nodes[0]?.address as string, 'model', '--json'])
    await prepare(nodes, String(lines[1]?.['digest']))
    const [dead, left] = [nodes.slice(0, 3), nodes.slice(3)]
    for (const node of dead) node.kill('SIGKILL')
    await Promise.all(dead.map((node) => node.ended))
    // Two of five decide nothing: nobody else takes the name, and it is said why.
    expect(shown(nodes)).toEqual(nodes.map(() => second.content))
    const busy = await push(left.slice(0, 1), '--retries', '0')
    expect(busy.result?.['nodes'][0]).toMatchObject({ code: 'ERR_FR_BUSY' })
    const listed = await world.run(['ls', left[0]?.address as string, '--json'])
    expect(listed.lines.map(({ state }) => state).sort()).toEqual(['held', 'prepared'])
    const back = await Promise.all(dead.map((node, at) => again(node, at, keep)))
    nodes = [...back, ...left]
    await until(
      () => shown(nodes).every((content) => content === first.content),
      'all have the version that was ready',
      60_000,
    )
    await until(() => isCalm(nodes), 'nobody waits for anything')
  })

  it('do what an operator says where those that could decide are lost', async () => {
    const nodes = await nodesWith(2, ['--keep', '1'])
    const [left, lost] = nodes as [ServingNode, ServingNode]
    await push(nodes)
    await push(nodes)
    const { lines } = await world.run(['versions', left.address, 'model', '--json'])
    const id = await prepare(nodes, String(lines[1]?.['digest']))
    lost.kill('SIGKILL')
    await lost.ended
    const decisions = async () => (await world.run(['status', left.address, '--json'])).lines[0]
    const inDoubt = [{ id, name: 'model', mode: 'all', members: 2, state: 'prepared' }]
    expect(await decisions()).toMatchObject({ decisions: inDoubt })
    // What it has said stays true in another directory.
    renameSync(left.data, `${left.data}.old`)
    mkdirSync(left.data)
    const vote = join(left.data, '.fastreplica/commits', id)
    await until(() => existsSync(vote), 'its vote is in the new directory')
    expect(await decisions()).toMatchObject({ decisions: inDoubt })
    const force = ['rollback', left.address, 'model', '--force', 'abort', '--json']
    expect(await world.run(force)).toMatchObject({ status: 0, lines: [{ verdict: 'abort' }] })
    await until(() => isCalm([left]), 'nothing is in doubt')
    expect((await world.run(force)).status).toBe(1)
    expect((await push([left])).status).toBe(0)
  })

  it('carry out what was decided, killed between the disks of vote and file', async () => {
    const second = join(world.directory, 'second')
    const args = ['--data', second, '--keep', '1']
    const [first] = (await nodesWith(1, args)) as [ServingNode]
    let node = first
    // The emptier disk takes the next file.
    world.file('other', 2 * bytes)
    const other = ['push', 'other', '--to', node.address, '--as', 'other']
    expect((await world.run(other)).status).toBe(0)
    const [there, here] = existsSync(join(node.data, 'other'))
      ? [second, node.data]
      : [node.data, second]
    const before = await push([node])
    await push([node])
    expect([existsSync(join(there, 'model')), existsSync(join(here, 'model'))]).toEqual([
      true,
      false,
    ])
    const content = (): string => sha256(readFileSync(join(there, 'model')))
    const { lines } = await world.run(['versions', node.address, 'model', '--json'])
    const id = await prepare([node], String(lines[1]?.['digest']))
    node.kill('SIGKILL')
    await node.ended
    const path = join(node.data, '.fastreplica/commits')
    const saved = join(world.directory, 'votes')
    cpSync(path, saved, { recursive: true })
    // The verdict is written down, and nothing was done.
    const records = new CommitRecords(node.data)
    const { decisions } = await records.load()
    const [decision] = decisions as [KeptDecision]
    const verdict = { type: 'commit', order: 1 } as const
    await records.put({ ...decision, record: { ...decision.record, verdict } })
    const isOver = (): boolean => votes(node).join() === 'state' && content() === before.content
    node = await again(node, 0, args)
    await until(isOver, `${id} is carried out`, 60_000)
    // The file has its name, and of that nothing was written where the vote is.
    node.kill('SIGKILL')
    await node.ended
    rmSync(path, { recursive: true })
    renameSync(saved, path)
    node = await again(node, 0, args)
    await until(isOver, `${id} is decided again, as before`, 60_000)
    expect(await isCalm([node])).toBe(true)
    const next = await push([node])
    expect([next.status, content()]).toEqual([0, next.content])
  })
})
