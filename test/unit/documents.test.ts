/** Every command that a Markdown page of the repository shows is one that the program takes. */
import { describe, expect, it } from 'vitest'
import { parseCommandLine } from '../../src/cli/program.js'
import { texts } from './pages.js'

/** Lines of commands: of blocks for a shell, and of blocks that are indented. */
function commandLinesOf(text: string): string[] {
  const fenced = [...text.matchAll(/^```(?:sh|bash)\n([\s\S]*?)^```$/gm)].flatMap(([, block]) =>
    (block ?? '').replaceAll('\\\n', ' ').split('\n'),
  )
  const indented = text.replace(/^```[\s\S]*?^```$/gm, '').matchAll(/^ {4}(.*)$/gm)
  return [...fenced, ...[...indented].map(([, line]) => line ?? '')]
}

/** The words behind `fr` of each call of it in a line, as a shell splits them. */
function callsOf(line: string): string[][] {
  const words = [...line.matchAll(/'([^']*)'|"([^"]*)"|[^\s'"]+/g)].map(([word, one, two]) => ({
    text: one ?? two ?? word,
    isQuoted: (one ?? two) !== undefined,
  }))
  const calls: string[][] = []
  let call: string[] | null = null
  let isFirst = true
  for (const { text, isQuoted } of words) {
    if (!isQuoted && text.startsWith('#')) break
    if (!isQuoted && /^(?:\||&&|;|&|>|>>|2>|<)$/.test(text)) {
      call = null
      isFirst = text === '|' || text === '&&' || text === ';'
    } else if (isFirst && (text === 'npx' || text === 'sudo')) {
      // The program is the next word.
    } else if (isFirst) {
      isFirst = false
      call = text === 'fr' ? [] : null
      if (call !== null) calls.push(call)
    } else call?.push(text)
  }
  return calls
}

describe('the pages', () => {
  it('show commands that the program takes', () => {
    const shown = [...texts].flatMap(([page, text]) =>
      commandLinesOf(text).flatMap((line) => callsOf(line).map((words) => ({ page, line, words }))),
    )
    expect(shown.length).toBeGreaterThan(40)
    const refused = shown.flatMap(({ page, line, words }) => {
      const parsed = parseCommandLine(words, '0.0.0')
      return parsed.kind === 'usage' ? [`${page}: ${line}: ${parsed.text}`] : []
    })
    expect(refused).toEqual([])
  })

  it('would be told of commands that are wrong', () => {
    expect(callsOf("a | npx fr push - --as 'b c' > d && fr ls e # fr rm")).toEqual([
      ['push', '-', '--as', 'b c'],
      ['ls', 'e'],
    ])
    expect(parseCommandLine(['push', '--no-such'], '0.0.0')).toMatchObject({ kind: 'usage' })
  })
})
