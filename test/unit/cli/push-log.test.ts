import { describe, expect, it } from 'vitest'
import type { LogLine } from '../../../src/api/types.js'
import { PushLog } from '../../../src/cli/render/push-log.js'

const edge = (n: number): LogLine => ({
  level: 'warn',
  event: 'edge-lost',
  fields: { transfer: 't', node: `n${n}:1`, text: 'feed from n0:1 (ERR_FR_UNREACHABLE)' },
})

function logged(format: 'text' | 'json', level: LogLine['level'], lines: readonly LogLine[]) {
  const said: string[] = []
  const log = new PushLog({ format, level }, (line) => said.push(line))
  for (const line of lines) log.take(line)
  return { said, log }
}

describe('PushLog', () => {
  const many = Array.from({ length: 870 }, (_, n) => edge(n))

  it('makes one line of the warnings of one kind', () => {
    const { said, log } = logged('text', 'warn', many)
    expect(said).toEqual([])
    expect(log.held).toBe(870)
    expect(log.summary()).toEqual([
      '870 connections between nodes broke or could not be made; first ' +
        'n0:1: feed from n0:1 (ERR_FR_UNREACHABLE)',
    ])
  })

  it('makes a line of a kind that it does not know', () => {
    const line: LogLine = { level: 'warn', event: 'odd\n', fields: { reason: 'so\n' } }
    expect(logged('text', 'warn', [line]).log.summary()).toEqual(['odd\\x0a: so\\x0a'])
    expect(logged('text', 'warn', [line, line]).log.summary()).toEqual([
      'odd\\x0a (2 times): so\\x0a',
    ])
  })

  it('says at once what a push waits for', () => {
    const fields = { transfer: 't', text: 'waiting: transfer u\n' }
    const line: LogLine = { level: 'warn', event: 'waiting', fields }
    const { said, log } = logged('text', 'warn', [line])
    expect(said).toEqual(['fr push: waiting: transfer u\\x0a'])
    expect(log.summary()).toEqual([])
    expect(logged('text', 'error', [line]).said).toEqual([])
  })

  it('says errors at once, and no outcome twice', () => {
    const error: LogLine = { level: 'error', event: 'defect', fields: { text: 'x' } }
    const outcomes = ['left', 'node-failed', 'node-refused'].map(
      (event): LogLine => ({ level: 'warn', event, fields: { node: 'n1:1', seconds: 0.1 } }),
    )
    const { said, log } = logged('text', 'warn', [error, ...outcomes])
    expect(said).toEqual([expect.stringMatching(/level=error event=defect text=x$/)])
    expect(log.summary()).toEqual([])
  })

  it('is complete as JSON, and where more than warnings are asked for', () => {
    const json = logged('json', 'warn', many)
    expect(json.said).toHaveLength(870)
    expect(JSON.parse(json.said[869] ?? '')).toMatchObject({ event: 'edge-lost', node: 'n869:1' })
    expect(logged('text', 'info', many).said).toHaveLength(870)
    expect(json.log.summary()).toEqual([])
  })

  it('says nothing below its level', () => {
    const { said, log } = logged('text', 'error', many)
    expect([said, log.held]).toEqual([[], 0])
  })

  it('keeps a bounded number of kinds', () => {
    const kinds = Array.from({ length: 100 }, (_, n) => ({ ...edge(n), event: `kind-${n}` }))
    expect(logged('text', 'warn', kinds).log.summary()).toHaveLength(32)
  })
})
