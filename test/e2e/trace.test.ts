/**
 * `fr push --trace` between real processes: the file's content, that it is readable however the
 * push ends, that it affects nothing, and that bad input reaches no node.
 */
import { once } from 'node:events'
import { linkSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Progress, TransferStatus } from '../../src/api/types.js'
import type { TraceEvent } from '../../src/control/view/trace.js'
import { parseTrace, type ReadTrace } from '../support/trace.js'
import { copyDigest, listOf, MIB, main, type ServingNode, sha256, World } from './cli-world.js'
import { type Door, holdingDoor } from './door.js'

let world: World
let nodes: ServingNode[]
const traceOf = () => parseTrace(readFileSync(world.path('out.json'), 'utf8'))

/** Bytes that `events` cover; -1 when a byte is covered twice. */
function covered(events: readonly TraceEvent[]): number {
  const ranges = events
    .map(({ args }) => [Number(args?.['offset']), Number(args?.['length'])] as const)
    .sort((a, b) => a[0] - b[0])
  let end = 0
  let bytes = 0
  for (const [offset, length] of ranges) {
    if (offset < end) return -1
    end = offset + length
    bytes += length
  }
  return bytes
}

const counts = (events: readonly TraceEvent[]) => ({ events: events.length, dropped: 0 })

/** Checks every trace. Returns the process number of each node by its address. */
function checkTrace({ events, end }: ReadTrace, hasEnd = true): Map<unknown, number> {
  expect(end).toEqual(hasEnd ? expect.objectContaining(counts(events)) : undefined)
  const timed = events.filter((event) => event.ph !== 'M')
  expect(timed.every((event, i) => i === 0 || event.ts >= (timed[i - 1] as TraceEvent).ts)).toBe(
    true,
  )
  const named = events.filter((event) => event.name === 'process_name')
  const pids = new Map(named.map((event) => [event.args?.['name'], event.pid]))
  expect([...pids.keys()].sort()).toEqual(['origin', ...nodes.map((node) => node.address)].sort())
  for (const pid of pids.values()) {
    const threads = events.filter((event) => event.name === 'thread_name' && event.pid === pid)
    expect(threads.map((event) => event.args?.['name'])).toEqual(
      expect.arrayContaining(['deals', 'landed', 'lag', 'pulls', 'direct']),
    )
  }
  return pids
}

describe('fr push --trace', () => {
  beforeAll(async () => {
    world = new World()
    nodes = await world.nodes(3)
  })
  afterAll(() => world.close())

  it('shows the deal of the whole file and what became of it', async () => {
    const content = world.file('a.bin', 8 * MIB + 5)
    const args = ['push', 'a.bin', '--strategy', 'classic', '--trace', 'out.json', '--json']
    const run = await world.run([...args, '--to', listOf(nodes)])
    expect(run).toMatchObject({ status: 0 })
    for (const node of nodes) expect(copyDigest(node, 'a.bin')).toBe(sha256(content))
    const trace = traceOf()
    const pids = checkTrace(trace)
    const deals = trace.events.filter((event) => event.name === 'deal')
    expect(covered(deals)).toBe(content.length)
    expect(deals.every((event) => event.args?.['route'] === 1)).toBe(true)
    const result = run.lines.at(-1) as { shares: { node: string; dealtBytes: number }[] }
    expect(result).toMatchObject({ directBytes: 0, boundSeconds: null })
    for (const { node, dealtBytes } of result.shares)
      expect(covered(deals.filter((event) => event.pid === pids.get(node)))).toBe(dealtBytes)
    const names = new Set(trace.events.map((event) => event.name))
    for (const name of ['plan', 'receiving', 'seal', 'complete', 'finish'])
      expect(names).toContain(name)
  })

  it('shows a tiny file, and a node that is not there', async () => {
    world.file('tiny.bin', 10)
    const gone = '127.0.0.1:1'
    const to = `${listOf(nodes)},${gone}`
    const args = ['--trace', 'out.json', '--connect-timeout', '4s', '--to', to]
    const run = await world.run(['push', 'tiny.bin', ...args])
    expect(run.status).toBe(3)
    const { events } = traceOf()
    const direct = events.filter((event) => event.name === 'direct')
    expect(direct.map((event) => event.args?.['length'])).toEqual([10, 10, 10])
    const failed = events.find((event) => event.name === 'failed')
    expect(failed?.args?.['reason']).toMatch(/^ERR_FR_UNREACHABLE/)
  })

  it('goes on without a trace when its disk is full', async () => {
    const content = world.file('c.bin', 32 * MIB)
    // ulimit counts 512 bytes and holds for this process: the first chunks fit, the last do not.
    const script = 'trap "" XFSZ; ulimit -f 4; exec "$0" "$1" push c.bin --trace out.json --to "$2"'
    const run = world.start('sh', ['-c', script, process.execPath, main, listOf(nodes)])
    expect([await run.ended, run.stderr]).toEqual([0, expect.stringContaining('trace-failed')])
    for (const node of nodes) expect(copyDigest(node, 'c.bin')).toBe(sha256(content))
    expect(traceOf().events.length).toBeLessThan(20)
    expect(traceOf().end).toBeUndefined()
    expect(readFileSync(world.path('out.json'), 'utf8')).toMatch(/\n$/)
  })
})

describe('a trace of a push that is cut short', () => {
  let door: Door
  beforeEach(async () => {
    world = new World()
    const [first, second, last] = (await world.nodes(3)) as [ServingNode, ServingNode, ServingNode]
    // It gets 4 MiB on a connection and no more, so that there is a middle to act in.
    door = await holdingDoor(last.address, 4 * MIB)
    nodes = [first, second, Object.assign(last, { address: door.address })]
  })
  afterEach(async () => {
    door.close()
    await world.close()
  })

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGKILL', 'SIGKILL'],
  ] as const)('by %s can be read', async (signal, status) => {
    world.file('big.bin', 24 * MIB)
    const args = ['push', 'big.bin', '--json', '--digest', 'sha256', '--trace', 'out.json']
    const push = world.fr([...args, '--to', listOf(nodes)])
    await push.until('the middle', door.isHolding)
    nodes[2]?.kill('SIGSTOP')
    const isBegun = () => readFileSync(world.path('out.json')).includes('\n')
    if (signal === 'SIGKILL')
      await push.until('a piece', () => isBegun() && traceOf().events.length > 0)
    push.kill(signal)
    expect(await push.ended).toBe(status)
    const trace = traceOf()
    checkTrace(trace, signal !== 'SIGKILL')
    if (signal === 'SIGKILL') return
    const count = (ph: string) => trace.events.filter((event) => event.ph === ph).length
    expect(count('B')).toBe(count('E'))
    expect(trace.events.at(-1)).toMatchObject({
      name: 'abort',
      args: { code: 'ERR_FR_ABORTED' },
    })
  })

  it('is no mystery: the status of a relay names the mate that takes nothing', async () => {
    const [relay, , held] = nodes as [ServingNode, ServingNode, ServingNode]
    // More than the sockets on the way to a node take that reads nothing.
    world.file('big.bin', 96 * MIB)
    const args = ['push', 'big.bin', '--json', '--digest', 'sha256', '--retries', '0']
    args.push('--silence', '6s')
    const push = world.fr([...args, '--to', listOf(nodes)])
    const feed = async (isSo: (feed: TransferStatus['relays'][number]) => boolean) => {
      for (;;) {
        expect(push.child.exitCode).toBeNull()
        const run = await world.run(['status', relay.address, '--json'])
        const [transfer] = (run.lines[0] as { transfers: TransferStatus[] }).transfers
        const mates = transfer?.relays ?? []
        const addresses = nodes.map((node) => node.address)
        expect(addresses).toEqual(expect.arrayContaining(mates.map((mate) => mate.node)))
        if (mates.some((mate) => mate.node === held.address && isSo(mate))) return
      }
    }
    await feed(({ queuedBytes, unackedBytes }) => queuedBytes + unackedBytes > 0)
    held.kill('SIGKILL')
    expect(await push.ended).toBe(3)
    const seen = push.lines.filter((line) => line['event'] === 'progress') as unknown as Progress[]
    const last = seen.at(-1)?.nodes[0]
    expect(last).toMatchObject({ node: relay.address, isLagging: false })
    expect(last?.relayedBytes).toBeGreaterThan(0)
    expect(seen.some(({ nodes: [first] }) => (first?.rateOutBytesPerSecond ?? 0) > 0)).toBe(true)
  })
})

describe('bad input', () => {
  let connections = 0
  const server = createServer((socket) => {
    connections++
    socket.destroy()
  })
  let to: string
  beforeAll(async () => {
    world = new World()
    world.file('f.bin', 1000)
    linkSync(world.path('f.bin'), world.path('linked'))
    mkdirSync(world.path('folder'))
    await once(server.listen(0, '127.0.0.1'), 'listening')
    to = `127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterAll(async () => {
    server.close()
    await world.close()
  })

  const refused = async (args: readonly string[], text: string): Promise<void> => {
    const run = await world.run(['push', 'f.bin', ...args])
    expect([run.status, run.stderr]).toEqual([2, expect.stringContaining(text)])
    expect(run.stderr).not.toMatch(/^ {4}at /m)
    expect(connections).toBe(0)
  }

  it.each([
    ['onto the source', 'f.bin', 'it is the source'],
    ['onto a link of the source', 'linked', 'it is the source'],
    ['onto a directory', 'folder', 'EISDIR'],
    ['into no directory', 'none/out.json', 'ENOENT'],
    ['onto another file', 'nodes.txt', 'it exists and is no trace'],
    ['into a device', '/dev/null', 'not a regular file'],
  ])('a trace %s dials nobody', async (_, trace, text) => {
    writeFileSync(world.path('nodes.txt'), `${to}\n`)
    await refused(['--nodes', 'nodes.txt', '--trace', trace], text)
    await refused(['--nodes', 'nodes.txt', '--trace', trace], 'ERR_FR_TRACE')
    expect(readFileSync(world.path('nodes.txt'), 'utf8')).toBe(`${to}\n`)
    expect(readFileSync(world.path('f.bin'))).toHaveLength(1000)
  })

  it.each([
    ['uplink=0Mbit', "nodes.txt:1: '0Mbit' is not a rate"],
    ['\n127.0.0.1:7499\nlocalhost:7499\nLOCALHOST:07499', 'nodes.txt:4: LOCALHOST:7499 is named'],
  ])('a nodes file with %j dials nobody', async (attribute, text) => {
    writeFileSync(world.path('nodes.txt'), `${to} ${attribute}\n`)
    await refused(['--nodes', 'nodes.txt'], text)
  })
})
