/** Lines of commands, however they come and whatever is in them. */
import { describe, expect, it } from 'vitest'
import { ftpLimits } from '../../../../src/base/ftp-limits.js'
import { limits } from '../../../../src/base/limits.js'
import {
  CommandLines,
  isFault,
  isTellable,
  parseLine,
} from '../../../../src/doors/ftp/command-line.js'
import fc from '../../../support/property.js'

describe('a line', () => {
  it.each([
    ['RETR a b', 'RETR', 'a b'],
    ['retr  a', 'RETR', ' a'],
    ['PWD', 'PWD', null],
    ['PWD\r', 'PWD', null],
    ['CWD ', 'CWD', ''],
    ['\xff\xf4\xff\xf2ABOR\r', 'ABOR', null],
    ['\xff\xf4\xffABOR', 'ABOR', null],
  ])('%j is a command', (line, verb, argument) => {
    expect(parseLine(line)).toEqual({ verb, argument })
  })

  it.each([
    '',
    ' PWD',
    'PW',
    'RETRIEVE a',
    'RETR\ta',
    'RETR a\rb',
    'RETR a\0',
    'RETR \xff',
    'R3TR a',
  ])('%j is none', (line) => expect(parseLine(line)).toMatchObject({ isFatal: false }))

  it('holds a name of any length that a node can hold', () => {
    expect(ftpLimits.lineBytes).toBeGreaterThan(limits.nameBytes + 'RETR /\r\n'.length)
  })
})

const anyByte = fc.string({ unit: fc.nat(255).map((code) => String.fromCharCode(code)) })

it('no bytes make anything but a command that can be told, or a fault', () => {
  fc.assert(
    fc.property(anyByte, (line) => {
      const found = parseLine(line)
      if (isFault(found)) return
      expect(found.verb).toMatch(/^[A-Z]{3,4}$/)
      expect(isTellable((found.argument ?? '').replaceAll('\n', ''))).toBe(true)
    }),
  )
})

it('lines are the same in whatever pieces they come', () => {
  const lines = fc.array(
    anyByte.map((text) => text.replaceAll('\n', '')),
    { maxLength: 8 },
  )
  fc.assert(
    fc.property(lines, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (all, sizes) => {
      const bytes = Buffer.from(all.map((line) => `${line}\n`).join(''), 'latin1')
      const cut = new CommandLines()
      const found: unknown[] = []
      for (let at = 0, turn = 0; at < bytes.length; turn++) {
        const end = at + (sizes[turn % sizes.length] as number)
        cut.push(bytes.subarray(at, end))
        at = end
        for (let line = cut.take(); line !== null; line = cut.take()) found.push(line)
      }
      expect(found).toEqual(all.map(parseLine))
      expect(cut.bytes).toBe(0)
    }),
  )
})

it('a line that is too long ends it, with or without an end', () => {
  const cut = new CommandLines()
  cut.push(Buffer.alloc(ftpLimits.lineBytes - 1, 'a'))
  expect(cut.take()).toBe(null)
  cut.push(Buffer.from('a'))
  expect(cut.take()).toMatchObject({ isFatal: true })
  const other = new CommandLines()
  other.push(Buffer.concat([Buffer.alloc(ftpLimits.lineBytes, 'a'), Buffer.from('\n')]))
  expect(other.take()).toMatchObject({ isFatal: true })
})
