/** `/metrics` and `/readyz` of a real node and a real master, beside what they really did. */
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { SpanStatusCode } from '@opentelemetry/api'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import { describe, expect, it } from 'vitest'
import { createMaster, push } from '../../src/api/index.js'
import { httpToken } from '../../src/api/keys.js'
import { MIB } from '../../src/base/limits.js'
import { type Door, openDoor, traceTransfers } from '../../src/doors/index.js'
import { root } from './cli-world.js'
import { until, useWorld } from './push-support.js'

const example = (name: string): string => join(root, 'examples/metrics', name)

/** Values by `name{labels}`. */
async function measured(door: Door): Promise<Map<string, number>> {
  const answer = await fetch(`http://${door.address}/metrics`)
  expect([answer.status, answer.headers.get('content-type')]).toEqual([
    200,
    'text/plain; version=0.0.4; charset=utf-8',
  ])
  const text = await answer.text()
  const checked = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' })
  expect([checked.status, checked.stdout + checked.stderr]).toEqual([0, ''])
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(' ')
      return [line.slice(0, at), Number(line.slice(at + 1))]
    }),
  )
}

describe('metrics of a node', () => {
  const world = useWorld('native')

  it('are what was moved, and the examples ask for nothing else', async () => {
    const [one, two] = await world.nodes(2)
    await using door = await openDoor({ node: one }, { listen: '127.0.0.1:0' })
    const before = await measured(door)
    expect(before.get('fastreplica_received_bytes_total{from="origin"}')).toBe(0)
    const { path, content } = world.file('data.bin', 6 * MIB + 1)
    const result = await push(path, { to: [one.address, two.address] }).result
    expect(result.nodes.map(({ status }) => status)).toEqual(['complete', 'complete'])
    await until(() => one.status().transfers.length === 0, 'the transfer is over')

    const after = await measured(door)
    const value = (name: string): number => after.get(`fastreplica_${name}`) as number
    const received = result.nodes[0]?.receivedBytes as number
    const from = (who: string): number => value(`received_bytes_total{from="${who}"}`)
    expect(from('origin')).toBeGreaterThan(0)
    expect(from('mates')).toBeGreaterThan(0)
    expect(from('origin') + from('mates')).toBeGreaterThanOrEqual(received)
    expect(from('origin') + from('mates') - value('wasted_bytes_total')).toBe(content.length)
    expect(value('payload_bytes_total{direction="in"}')).toBe(from('origin') + from('mates'))
    expect(value('payload_bytes_total{direction="out"}')).toBeGreaterThan(0)
    expect(value('javascript_bytes_total')).toBe(0)
    expect(value('transfers_total{outcome="complete"}')).toBe(1)
    expect(value('held_bytes')).toBe(content.length)
    expect(value('pushes_total{outcome="complete"}')).toBe(1)
    expect(value('push_max_over_median_count')).toBe(1)
    expect(value('thread_cpu_seconds_total{thread="lane"}')).toBeGreaterThanOrEqual(0)
    expect(after.get('process_open_fds')).toBeGreaterThan(10)
    for (const [name, was] of before)
      if (/_total(\{|$)/.test(name)) expect(after.get(name), name).toBeGreaterThanOrEqual(was)

    // What only a master has is looked for there.
    const masters = /_(master|link)_/
    const known = new Set([...after.keys()].map((name) => name.replace(/\{.*/, '')))
    const asked = ['rules.yml', 'dashboard.json'].flatMap((name) => [
      ...readFileSync(example(name), 'utf8').matchAll(/(?<!:)\b(?:fastreplica|process)_\w+/g),
    ])
    expect(asked.length).toBeGreaterThan(30)
    for (const [name] of asked) {
      const isRecord =
        name.startsWith('fastreplica_received_bytes:') || name === 'fastreplica_wasted'
      if (!masters.test(name) && !isRecord) expect(known).toContain(name)
    }
  })

  it('has pushes as spans of OpenTelemetry', async () => {
    const exporter = new InMemorySpanExporter()
    const provider = new BasicTracerProvider({
      spanProcessors: [new SimpleSpanProcessor(exporter)],
    })
    const stop = traceTransfers(provider.getTracer('test'))
    const [node] = await world.nodes(1)
    const { path } = world.file('traced.bin', 100_000)
    const both = { to: [node.address, '127.0.0.1:1'], retries: 0, connectMs: 4_000 }
    const { nodes } = await push(path, both).result
    stop()
    await push(path, { to: [node.address], as: 'untraced' }).result
    const [span, ...others] = exporter.getFinishedSpans()
    expect(others).toEqual([])
    expect(span?.name).toBe('fastreplica.push')
    expect(span?.status).toEqual({ code: SpanStatusCode.ERROR, message: '1 of 2 nodes' })
    expect(span?.attributes).toMatchObject({
      'fastreplica.bytes': 100_000,
      'fastreplica.complete_nodes': 1,
    })
    const told = span?.events.map(({ attributes }) => attributes?.['fastreplica.status'])
    expect(told?.sort()).toEqual(nodes.map(({ status }) => status).sort())
  })

  it('are told to those with the right to the status', async () => {
    const [node] = await world.nodes(1)
    const key = 'k'.repeat(43)
    await using door = await openDoor({ node }, { listen: '0.0.0.0:0', key })
    const { port } = new URL(`http://${door.address}`)
    const ask = (path: string, headers = {}, method = 'GET') =>
      fetch(`http://127.0.0.1:${port}${path}`, { headers, method })
    const refused = await ask('/metrics')
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([
      401,
      'ERR_FR_AUTH',
    ])
    const token = { authorization: `Bearer ${httpToken(key)}` }
    expect((await ask('/metrics', token)).status).toBe(200)
    expect((await ask('/metrics', token, 'POST')).status).toBe(405)
    const ready = await ask('/readyz')
    expect([ready.status, await ready.json()]).toEqual([200, { status: 'ok' }])
  })

  it('has alert rules and a configuration that Prometheus takes', () => {
    execFileSync('promtool', ['check', 'rules', example('rules.yml')])
    execFileSync('promtool', ['check', 'config', '--syntax-only', example('prometheus.yml')])
  })
})

describe('a node that is not ready', () => {
  const world = useWorld('native')

  it('says so, and why only to those who may know', async () => {
    const problems = ['the directory is gone']
    const [real] = await world.nodes(1)
    const { address } = real
    const node = { address, status: () => ({ ...real.status(), problems }) } as never
    const key = 'k'.repeat(43)
    await using door = await openDoor({ node }, { listen: '0.0.0.0:0', key })
    const { port } = new URL(`http://${door.address}`)
    const ask = async (headers = {}) => {
      const answer = await fetch(`http://127.0.0.1:${port}/readyz`, { headers })
      return [answer.status, await answer.json()]
    }
    expect(await ask()).toEqual([503, { status: 'not ready' }])
    const token = { authorization: `Bearer ${httpToken(key)}` }
    expect(await ask(token)).toEqual([503, { status: 'not ready', reasons: problems }])
  })
})

describe('metrics of a master', () => {
  const world = useWorld('native')

  it('have its links with their budgets', async () => {
    await using master = await createMaster({
      listen: '127.0.0.1:0',
      dataDir: join(world.file('none', 1).path, '..', 'master'),
      topology: join(root, 'examples/wan/topology.yaml'),
    })
    await using door = await openDoor({ master }, { listen: '127.0.0.1:0' })
    const found = await measured(door)
    expect(found.get('fastreplica_master_leads')).toBe(1)
    const capability = 'fastreplica_link_capability_bytes_per_second'
    expect(found.get(`${capability}{link="ams-fra"}`)).toBe(12_500_000)
    expect(found.get('fastreplica_link_failed{link="sin-fra"}')).toBe(0)
  })
})
