import { describe, expect, it } from 'vitest'
import {
  displayWidth,
  isLogged,
  logText,
  logValue,
  painter,
  printable,
  tableLines,
  truncate,
  truncateMiddle,
  wantsColours,
  wrapParts,
  wrapWords,
} from '../../../src/cli/render/text.js'

const plain = painter(false)

describe('printable', () => {
  it.each([
    ['plain ünï 日本', 'plain ünï 日本'],
    ['two\nlines', 'two\\x0alines'],
    ['\u001b[31mred\u001b[0m', '\\x1b[31mred\\x1b[0m'],
    ['\u009b2J', '\\x9b2J'],
    ['a\u202Eb', 'a\\u{202e}b'],
    ['a\u2028b\u007f', 'a\\u{2028}b\\x7f'],
  ])('%j', (text, shown) => expect(printable(text)).toBe(shown))
})

describe('width', () => {
  it('counts columns', () => {
    expect(displayWidth('abc')).toBe(3)
    expect(displayWidth('日本')).toBe(4)
    expect(displayWidth('e\u0301')).toBe(1)
    expect(displayWidth('😀')).toBe(2)
  })
  it('cuts with a mark', () => {
    expect(truncate('abcdef', 6)).toBe('abcdef')
    expect(truncate('abcdef', 4)).toBe('abc~')
    expect(truncate('日本語', 4)).toBe('日~')
    expect(truncate('abc', 1)).toBe('~')
    expect(truncate('abc', 0)).toBe('')
  })
})

describe('colours', () => {
  it.each([
    [{}, true, true],
    [{}, false, false],
    [{ NO_COLOR: '1' }, true, false],
    [{ NO_COLOR: '' }, true, true],
    [{ TERM: 'dumb' }, true, false],
    [{ FORCE_COLOR: '1' }, false, true],
    [{ FORCE_COLOR: '1', NO_COLOR: '1' }, false, true],
    [{ FORCE_COLOR: '0' }, true, false],
    [{ FORCE_COLOR: 'false' }, true, false],
  ])('%j on a terminal: %s', (env, terminal, colours) =>
    expect(wantsColours(env, terminal)).toBe(colours),
  )

  it('paint', () => {
    expect(painter(true)('red', 'x')).toBe('\u001b[31mx\u001b[39m')
    expect(painter(true)('plain', 'x')).toBe('x')
    expect(painter(true)('bold', '')).toBe('')
    expect(plain('red', 'x')).toBe('x')
  })
})

describe('tableLines', () => {
  const columns = [{ title: 'name' }, { title: 'size', right: true }, { title: 'note' }]
  it('aligns', () =>
    expect(
      tableLines(
        columns,
        [
          [{ text: 'a' }, { text: '10' }, { text: 'first' }],
          [{ text: '日本語' }, { text: '12345' }],
        ],
        plain,
      ),
    ).toEqual(['name     size  note', 'a          10  first', '日本語  12345']))
  it('keeps the columns under colours', () => {
    const rows = [[{ text: 'ok', tone: 'green' as const }, { text: '1' }, { text: 'x' }]]
    const coloured = tableLines(columns, rows, painter(true))
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the escapes are what is tested
    expect(coloured.map((line) => line.replace(/\u001b\[\d+m/g, ''))).toEqual(
      tableLines(columns, rows, plain),
    )
    expect(coloured[1]).toContain('\u001b[32mok\u001b[39m')
  })
})

describe('log lines', () => {
  it.each([
    ['plain', 'plain'],
    ['10.0.0.2:7400', '10.0.0.2:7400'],
    ['', '""'],
    ['two words', '"two words"'],
    ['say "hi"', '"say \\"hi\\""'],
    ['a=b', '"a=b"'],
    ['back\\slash', '"back\\\\slash"'],
    ['new\nline', '"new\\x0aline"'],
    ['\u001b[2J', '"\\x1b[2J"'],
    [3, '3'],
    [true, 'true'],
    [null, 'null'],
  ])('%j', (value, text) => expect(logValue(value)).toBe(text))

  const line = {
    level: 'warn' as const,
    event: 'nodeLost',
    fields: { node: 'h:1', 'why not': 'it is gone', bytes: 7 },
  }
  it('as key=value', () =>
    expect(logText(line, 'text', 0)).toBe(
      'time=1970-01-01T00:00:00.000Z level=warn event=nodeLost ' +
        'node=h:1 why_not="it is gone" bytes=7',
    ))
  it('as JSON', () =>
    expect(JSON.parse(logText(line, 'json', 0))).toEqual({
      time: '1970-01-01T00:00:00.000Z',
      level: 'warn',
      event: 'nodeLost',
      node: 'h:1',
      'why not': 'it is gone',
      bytes: 7,
    }))
  it('from a level on', () => {
    expect(isLogged('debug', 'info')).toBe(false)
    expect(isLogged('info', 'info')).toBe(true)
    expect(isLogged('error', 'warn')).toBe(true)
  })
})

describe('widths', () => {
  it.each([
    ['plain', 5],
    ['\u7bc0\u9ede', 4],
    ['e\u0301', 1],
    ['\u{1f600}', 2],
    ['\u{1f468}\u200d\u{1f469}\u200d\u{1f467}', 2],
    ['\u{1f1f3}\u{1f1f1}', 2],
    ['\u2764\ufe0f', 2],
    ['\uff71', 1],
    ['\uff21', 2],
    ['\u001b[31mred\u001b[39m', 3],
  ])('%j takes %d columns', (text, width) => expect(displayWidth(text)).toBe(width))

  it('never cuts a character in two', () => {
    const family = '\u{1f468}\u200d\u{1f469}\u200d\u{1f467}'
    expect(truncate(`${family}${family}`, 3)).toBe(`${family}~`)
    expect(truncate('e\u0301e\u0301e\u0301', 2)).toBe('e\u0301~')
    expect(truncateMiddle(`a${family}b`.repeat(4), 9)).toBe(`a${family}b~a${family}b`)
  })

  it('keeps both ends of an address', () => {
    expect(truncateMiddle('[2001:db8::1234]:7400', 12)).toBe('[2001~]:7400')
    expect(truncateMiddle('short:7400', 12)).toBe('short:7400')
    expect(truncateMiddle('longer:7400', 3)).toBe('lo~')
  })

  it('breaks lines between parts and words alone', () => {
    expect(wrapParts(['one', 'two', 'three'], 9)).toEqual(['one, two,', 'three'])
    expect(wrapParts(['far too long'], 4)).toEqual(['far too long'])
    expect(wrapParts([], 4)).toEqual([])
    expect(wrapWords('one two three', 7, '  ')).toEqual(['one two', '  three'])
  })

  it('a table gives way where it may be cut, the widest column first', () => {
    const columns = [
      { title: 'node', cut: 'middle' as const },
      { title: 'n' },
      { title: 'what', cut: 'end' as const },
    ]
    const rows = [
      [{ text: 'a'.repeat(10) + 'z'.repeat(10) }, { text: '1' }, { text: 'x'.repeat(12) }],
    ]
    expect(tableLines(columns, rows, painter(false), 30)).toEqual([
      'node           n  what',
      'aaaaaa~zzzzzz  1  xxxxxxxxxxxx',
    ])
  })
})
