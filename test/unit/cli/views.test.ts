import { describe, expect, it } from 'vitest'
import type { NodeOutcome, Progress } from '../../../src/api/types.js'
import { FrError } from '../../../src/base/errors.js'
import { bytesBehind, lastArguments } from '../../../src/cli/arguments/raw-arguments.js'
import { type Context, Interrupted } from '../../../src/cli/render/context.js'
import { asUsage, failureText, statusOfFailure } from '../../../src/cli/render/failures.js'
import { JsonView, LiveView, OutcomeView, PlainView } from '../../../src/cli/render/push-views.js'
import { LiveRegion, redrawText, rowsTaken } from '../../../src/cli/render/terminal.js'
import { painter } from '../../../src/cli/render/text.js'
import { UsageError } from '../../../src/cli/render/units.js'
import { Screen } from '../../screen.js'
import { nodeProgress, outcomeOf, planOf, progressOf, resultOf } from './support.js'

function recorder(size: { columns: number; rows: number } | null = null) {
  const written = { stdout: '', stderr: '' }
  const context: Context = {
    env: {},
    stdout: (text) => {
      written.stdout += text
    },
    stderr: (text) => {
      written.stderr += text
    },
    terminal: () => size,
    stdoutIsTerminal: false,
    paintStdout: painter(false),
    paintStderr: painter(false),
  }
  return { context, written }
}

const plan = planOf({ groups: [['a:1', 'b:1']], bytes: 10, boundSeconds: null })
const progress = progressOf(
  [
    nodeProgress({
      node: 'a:1',
      landedBytes: 5,
      rateBytesPerSecond: 5,
      relayedBytes: 0,
      etaSeconds: 1,
    }),
  ],
  { seconds: 1, bytes: 10, landedBytes: 5, totalBytes: 10, share: 0.5, efficiency: null },
)
const outcome = (node: string, status: NodeOutcome['status'] = 'complete'): NodeOutcome =>
  outcomeOf({
    node,
    status,
    seconds: 1,
    bytes: 10,
    digest: null,
    ...(status === 'complete'
      ? {}
      : { code: 'ERR_FR_NODE_LOST', retryable: true, reason: 'ERR_FR_NODE_LOST: gone' }),
  })
const result = resultOf({
  bytes: 10,
  seconds: 1,
  boundSeconds: null,
  efficiency: null,
  observedBoundSeconds: null,
  observedEfficiency: null,
  shares: [],
  digest: null,
  nodes: [outcome('a:1'), outcome('b:1', 'failed')],
})

describe('JsonView', () => {
  const events = (text: string) =>
    text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const value = JSON.parse(line)
        return value.node ? `${value.event} ${value.node}` : value.event
      })

  it('keeps the order of the contract, whatever comes first', () => {
    const { context, written } = recorder()
    const view = new JsonView(context, () => 0)
    view.progress(progress)
    view.node(outcome('b:1', 'failed'))
    view.plan(plan)
    view.progress(progress)
    view.node(outcome('a:1'))
    view.end(result)
    expect(events(written.stdout)).toEqual(['plan', 'node b:1', 'progress', 'node a:1', 'result'])
    expect(written.stderr).toBe('')
  })

  it('says of a node that is added again what becomes of it then', () => {
    const { context, written } = recorder()
    const view = new JsonView(context, () => 0)
    view.plan(plan)
    view.node(outcome('a:1', 'failed'))
    view.node(outcome('a:1'))
    view.node(outcome('a:1'))
    expect(events(written.stdout)).toEqual(['plan', 'node a:1', 'node a:1'])
  })

  it('shows progress twice a second at most', () => {
    const { context, written } = recorder()
    let now = 0
    const view = new JsonView(context, () => now)
    view.plan(plan)
    for (now = 0; now <= 1000; now += 50) view.progress(progress)
    expect(events(written.stdout)).toEqual(['plan', 'progress', 'progress', 'progress'])
  })

  it('always shows the last progress, right before the result', () => {
    const { context, written } = recorder()
    const view = new JsonView(context, () => 0)
    view.plan(plan)
    for (const share of [0.25, 0.5, 1]) view.progress({ ...progress, share })
    view.end(result)
    const order = ['plan', 'progress', 'node a:1', 'node b:1', 'progress', 'result']
    expect(events(written.stdout)).toEqual(order)
    const shares = written.stdout.split('\n').flatMap((line) => line.match(/"share":[\d.]+/) ?? [])
    expect(shares).toEqual(['"share":0.25', '"share":1'])
  })

  it('names each node once, also one that only the result knows', () => {
    const { context, written } = recorder()
    const view = new JsonView(context)
    view.plan(plan)
    view.node(outcome('a:1'))
    view.node(outcome('a:1'))
    view.end(result)
    expect(events(written.stdout)).toEqual(['plan', 'node a:1', 'node b:1', 'result'])
    expect(JSON.parse(written.stdout.split('\n')[1] ?? '')).toEqual({
      event: 'node',
      ...outcome('a:1'),
    })
    expect(JSON.parse(written.stdout.trimEnd().split('\n').at(-1) ?? '')).toEqual(result)
  })

  it('loses no outcome where there is no plan', () => {
    const { context, written } = recorder()
    const view = new JsonView(context)
    view.node(outcome('a:1', 'failed'))
    view.end(null)
    expect(events(written.stdout)).toEqual(['node a:1'])
  })
})

describe('PlainView', () => {
  it('writes a line at most every two seconds, and each outcome', () => {
    const { context, written } = recorder()
    let now = 0
    const view = new PlainView(
      context,
      'f',
      () => 0,
      () => now,
    )
    view.plan(plan)
    for (now = 0; now <= 4500; now += 100) view.progress(progress)
    view.node(outcome('a:1'))
    view.end()
    expect(written.stderr.split('\n')).toEqual([
      'f: 10 B to 2 nodes, classic group',
      'transfer t',
      '50%, ETA 1.0s, 1.0s elapsed, 5 B/s, 1 receiving',
      '50%, ETA 1.0s, 1.0s elapsed, 5 B/s, 1 receiving',
      'a:1 complete after 1.00 s',
      '',
    ])
    expect(written.stdout).toBe('')
  })
})

describe('PlainView of many nodes', () => {
  it('has a line for each that is not complete', () => {
    const { context, written } = recorder()
    const names = Array.from({ length: 10_000 }, (_, i) => `h${i}:1`)
    const view = new PlainView(context, 'f')
    view.plan(planOf({ groups: [names], bytes: 10, boundSeconds: null }))
    for (const node of names) {
      const isLost = node === 'h77:1'
      view.node(
        outcomeOf({ node, ...(isLost && { status: 'failed', reason: 'ERR_FR_TIMEOUT: t' }) }),
      )
    }
    const [, , line, ...more] = written.stderr.split('\n')
    expect(line).toMatch(/^h77:1 failed .*ERR_FR_TIMEOUT/)
    expect(more).toEqual([''])
  })
})

describe('LiveView', () => {
  it('draws in place, at most five times a second, and leaves nothing behind', async () => {
    const { context, written } = recorder({ columns: 60, rows: 10 })
    const started = performance.now()
    const view = new LiveView(context, 'f')
    view.plan(plan)
    while (written.stderr.split(' 50%  ETA').length - 1 < 3) {
      view.progress(progress)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    expect(performance.now() - started).toBeGreaterThan(3 * 200 - 10)
    view.end()
    expect(written.stderr.endsWith('\r\u001b[2A\u001b[J')).toBe(true)
    const before = written.stderr
    view.progress(progress)
    await new Promise((resolve) => setTimeout(resolve, 250))
    expect(written.stderr).toBe(before)
  })

  it.each([
    [80, 24],
    [120, 40],
    [20, 4],
  ])('is never torn by lines above it on %d columns and %d rows', (columns, rows) => {
    const screen = new Screen(columns, rows)
    const { context } = recorder({ columns, rows })
    const whole: string[] = []
    const view = new LiveView({ ...context, stderr: (text) => screen.write(text) }, 'f')
    const nodes = ['a:1', 'b:1', 'c:1'].map((node) => ({ ...progress.nodes[0], node }))
    view.progress({ ...progress, nodes } as Progress)
    for (let n = 0; n < 60; n++) {
      const line = `said ${n} ${'x'.repeat(n * 3)}`
      view.say(line)
      const first = `${line} `.slice(0, columns).trimEnd()
      whole.push(first)
      const text = screen.lines
      expect(text.filter((each) => each.includes('ETA') && each.startsWith(' 50%'))).toHaveLength(1)
      for (const each of whole) expect(text).toContain(each)
      const region = text.slice(text.findIndex((each) => each.startsWith(' 50%')))
      expect(region).toHaveLength(Math.min(4, rows - 1) + 1)
      expect(region.at(-1)).toBe('')
    }
    view.end()
    expect(screen.lines.filter((each) => /%|receiving/.test(each))).toEqual([])
    expect(screen.lines).toEqual(expect.arrayContaining(whole))
  })
})

describe('LiveRegion', () => {
  it('goes back over what it drew', () => {
    const region = new LiveRegion()
    expect(region.draw([], 80)).toBe('')
    expect(region.draw(['one', 'two'], 80)).toBe('one\u001b[K\ntwo\u001b[K\n\u001b[J')
    expect(region.draw(['three'], 80)).toBe('\r\u001b[2Athree\u001b[K\n\u001b[J')
    expect(region.draw([], 80)).toBe('\r\u001b[1A\u001b[J')
    expect(region.draw([], 80)).toBe('')
  })
  it('counts the rows of lines that a narrower terminal wrapped', () => {
    expect(rowsTaken([10, 0, 21], 10)).toBe(5)
    expect(redrawText([10, 21], ['x'], 10)).toBe('\r\u001b[4Ax\u001b[K\n\u001b[J')
    const region = new LiveRegion()
    region.draw(['\u001b[31m0123456789\u001b[39m'], 80)
    expect(region.draw([], 5)).toBe('\r\u001b[2A\u001b[J')
  })
})

it('OutcomeView says no progress', () => {
  const { context, written } = recorder()
  const view = new OutcomeView(
    context,
    'a',
    () => 0,
    () => 10_000,
  )
  view.progress()
  view.node(outcome('a:1'))
  expect(written.stderr).toBe('a:1 complete after 1.00 s\n')
})

describe('failures', () => {
  it.each([
    [new UsageError('no'), 2, 'no'],
    [new FrError('ERR_FR_UNSUPPORTED', 'adaptive'), 2, 'ERR_FR_UNSUPPORTED: adaptive'],
    [new FrError('ERR_FR_SOURCE', 'no\nsuch', { errno: 2 }), 2, 'ERR_FR_SOURCE: no\\x0asuch'],
    [new FrError('ERR_FR_AUTH', 'other key', { node: 'h:1' }), 1, 'ERR_FR_AUTH: h:1: other key'],
    [
      new FrError('ERR_FR_AUTH', 'h:1 has another key', { node: 'h:1' }),
      1,
      'ERR_FR_AUTH: h:1 has another key',
    ],
    [new Interrupted('SIGINT'), 130, 'stopped by SIGINT'],
    [new Interrupted('SIGTERM'), 143, 'stopped by SIGTERM'],
    [new FrError('ERR_FR_SOURCE', 'not yours', { errno: 13 }), 1, 'ERR_FR_SOURCE: not yours'],
    [new FrError('ERR_FR_IS_DIRECTORY', 'd'), 2, 'ERR_FR_IS_DIRECTORY: d'],
    [new FrError('ERR_FR_NAME', 'n'), 2, 'ERR_FR_NAME: n'],
    ['text', 1, 'defect: text'],
  ])('%s', (error, status, text) => {
    expect(statusOfFailure(error)).toBe(status)
    expect(failureText(error)).toBe(text)
  })
  it('take misuse of an option for usage, and nothing else', () => {
    expect(asUsage(new TypeError('to must name a node'))).toEqual(
      new UsageError('to must name a node'),
    )
    const other = new FrError('ERR_FR_KEY')
    expect(asUsage(other)).toBe(other)
  })
  it('show where a defect is, and its stack on demand', () => {
    const defect = new RangeError('odd\nnumber')
    expect(failureText(defect)).toMatch(/^defect: RangeError: odd at .*views\.test\.ts:\d+/)
    expect(failureText(defect)).not.toContain('\n')
    expect(failureText(defect, true)).toBe(defect.stack)
    expect(statusOfFailure(defect)).toBe(1)
  })
  it('say what to do where no more files may be opened', () => {
    const line = /^too many open files: raise the limit .*ulimit -n/
    const system = Object.assign(new Error('EMFILE: open'), { code: 'EMFILE', errno: -24 })
    expect(failureText(system)).toMatch(line)
    expect(failureText(new FrError('ERR_FR_LIMIT', 'file', { errno: 24 }))).toMatch(line)
    expect(failureText(new FrError('ERR_FR_UNREACHABLE', 'no', { cause: system }))).toMatch(line)
    expect(statusOfFailure(system)).toBe(1)
  })
})

describe('raw arguments', () => {
  const line = Buffer.from([
    ...Buffer.from('node\0main.js\0push\0a'),
    0xff,
    ...Buffer.from('b\0--as=c'),
    0xfe,
    0,
    0,
  ])
  it('are the last ones', () => {
    expect(lastArguments(line, 4).map((each) => [...each])).toEqual([
      [...Buffer.from('push')],
      [0x61, 0xff, 0x62],
      [...Buffer.from('--as=c'), 0xfe],
      [],
    ])
    expect(lastArguments(Buffer.from(''), 3)).toEqual([])
  })
  it('are found by what they read as', () => {
    const raw = lastArguments(line, 4)
    expect(bytesBehind('plain', raw)).toBeUndefined()
    expect([...(bytesBehind('a\uFFFDb', raw) ?? [])]).toEqual([0x61, 0xff, 0x62])
    expect([...(bytesBehind('c\uFFFD', raw) ?? [])]).toEqual([0x63, 0xfe])
    expect(() => bytesBehind('z\uFFFD', raw)).toThrow(UsageError)
    expect(() => bytesBehind('a\uFFFDb', [...raw, Buffer.from([0x61, 0xfe, 0x62])])).toThrow(
      'differ in bytes',
    )
  })
})
