/** What `fr ls` and `fr verify` print. */
import { describe, expect, it } from 'vitest'
import type { HeldFile, VerifyReport } from '../../../src/api/types.js'
import {
  heldLines,
  removedLine,
  verifyLines,
  verifyProgressLine,
} from '../../../src/cli/render/held.js'
import { displayWidth } from '../../../src/cli/render/text.js'
import { MIB, plain } from './support.js'

const held = (over: Partial<HeldFile> = {}): HeldFile => ({
  event: 'held',
  node: '10.0.0.2:7400',
  name: 'model.bin',
  nameBase64: null,
  kind: 'file',
  state: 'held',
  entries: null,
  bytes: 128 * MIB,
  heldBytes: 128 * MIB,
  digest: `blake3:${'0123456789abcdef'.repeat(4)}`,
  version: '20260131T235959Z-01234567',
  ageSeconds: 7_380,
  verifiedSecondsAgo: 60,
  disk: null,
  ...over,
})

const unknown = { digest: null, version: null, ageSeconds: null, verifiedSecondsAgo: null }

describe('heldLines', () => {
  it('shows what is whole, what is begun, and what somebody else has changed', () => {
    const files = [
      held(),
      held({
        name: 'empty',
        bytes: 0,
        heldBytes: 0,
        digest: 'xxh64-blocks/65536:0123456789abcdef',
      }),
      held({ name: 'edited', state: 'changed', heldBytes: 0 }),
      held({ name: 'gone', state: 'missing', heldBytes: 0 }),
      held({ name: 'site', kind: 'tree', entries: 57, ...unknown, state: 'partial' }),
      held({ name: 'site/in', kind: 'directory', bytes: 0, heldBytes: 0, ...unknown }),
      held({ name: 'begun', state: 'partial', heldBytes: 55 * MIB, ...unknown }),
      held({ name: 'log', state: 'growing', ...unknown }),
      held({ name: 'open', state: 'partial', ...unknown }),
    ]
    expect(heldLines(files, plain, false)).toEqual([
      'name          size  digest                  held  version                      age',
      'model.bin  128 MiB  blake3:0123456789ab     100%  20260131T235959Z-01234567  2h03m',
      'empty          0 B  xxh64:0123456789ab      100%  20260131T235959Z-01234567  2h03m',
      'edited     128 MiB  blake3:0123456789ab  changed  20260131T235959Z-01234567  2h03m',
      'gone       128 MiB  blake3:0123456789ab  missing  20260131T235959Z-01234567  2h03m',
      'site/      128 MiB  57 entries           partial  -                              -',
      'site/in/         -  -                       100%  -                              -',
      'begun      128 MiB  -                        42%  -                              -',
      'log        128 MiB  -                    growing  -                              -',
      'open       128 MiB  -                    partial  -                              -',
    ])
  })

  it('shows which node has a file, where several were asked', () => {
    const [titles, first] = heldLines([held()], plain, true)
    expect(titles).toMatch(/^node {11}name {10}size/)
    expect(first).toMatch(/^10\.0\.0\.2:7400 {2}model\.bin {2}128 MiB/)
  })

  it('shows which disk a file is on, of nodes with several', () => {
    const [titles, first, second] = heldLines([held({ disk: '/b' }), held()], plain, false)
    expect(titles).toMatch(/^disk {2}name {10}size/)
    expect(first).toMatch(/^\/b {4}model\.bin {2}128 MiB/)
    expect(second).toMatch(/^- {5}model\.bin {2}128 MiB/)
  })

  it('writes out what a terminal might obey, and fits the terminal', () => {
    const bad = held({ name: `a\u001b[2J\n${'\u7bc0'.repeat(100)}`, version: 'x'.repeat(300) })
    const lines = heldLines([bad, held({ node: 'n'.repeat(300) })], plain, true, 100)
    expect(lines).toHaveLength(3)
    for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(100)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
    expect(lines.join('')).not.toMatch(/[\u0000-\u001f]/)
    expect(lines[1]).toContain('  a\\x1b[2J~')
  })
})

describe('what fr verify says', () => {
  const report = (over: Partial<VerifyReport> = {}): VerifyReport => ({
    event: 'verified',
    node: '10.0.0.2:7400',
    name: 'a\u001b.bin',
    nameBase64: null,
    status: 'good',
    bytes: MIB,
    badBytes: 0,
    entries: null,
    failedCount: 0,
    failures: [],
    digest: null,
    code: null,
    retryable: false,
    reason: null,
    ...over,
  })

  it('is a line for each file', () => {
    expect(verifyLines(report(), plain, false)).toEqual(['good    a\\x1b.bin  1.00 MiB'])
    const reason = 'ERR_FR_DIGEST: 2 blocks are wrong'
    const bad = report({ status: 'failed', code: 'ERR_FR_DIGEST', reason, badBytes: 131_072 })
    expect(verifyLines(bad, plain, true)).toEqual([
      `10.0.0.2:7400  failed  a\\x1b.bin  ${reason} (128 KiB wrong)`,
    ])
  })

  it('names what is wrong in a tree', () => {
    const name = 'site'
    expect(verifyLines(report({ name, entries: 57 }), plain, false)).toEqual([
      'good    site  1.00 MiB  57 entries',
    ])
    const why = { nameBase64: null, code: 'ERR_FR_DIGEST', text: 'changed' } as const
    const failures = [{ name: 'site/a', ...why }]
    const wrong = { entries: 57, failedCount: 1, failures, badBytes: 10, reason: 'why' }
    expect(verifyLines(report({ name, status: 'failed', ...wrong }), plain, false)).toEqual([
      'failed  site/a  ERR_FR_DIGEST: changed',
      'failed  site  1 of 57 entries:  why (10 B wrong)',
    ])
  })

  it('is what fr rm has removed, and what stays', () => {
    const removed = { event: 'removed', node: 'h:1', name: 'a', nameBase64: null } as const
    const sums = { entries: 1, kept: 0, failedCount: 0, reason: null }
    expect(removedLine({ ...removed, ...sums })).toBe('a is removed from h:1')
    expect(removedLine({ ...removed, ...sums, entries: 12, kept: 1 })).toBe(
      'a is removed from h:1 (12 entries; 1 directory stays)',
    )
  })

  it('is how far the node is', () => {
    const progress = {
      event: 'verifying',
      node: 'h:1',
      name: 'a'.repeat(99),
      nameBase64: null,
    } as const
    const line = (readBytes: number, bytes: number) =>
      verifyProgressLine({ ...progress, readBytes, bytes }, 20)
    expect(line(1, 3)).toBe('33% of aaaaaaaaaaaa~')
    expect(line(0, 0)).toMatch(/^100% of/)
    expect(line(9, 3)).toMatch(/^100% of/)
  })
})
