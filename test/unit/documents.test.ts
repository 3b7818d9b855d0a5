/**
 * The Markdown pages of the repository: links lead somewhere, headings that they name exist, and
 * every command that a page shows is one that the program takes.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parseCommandLine } from '../../src/cli/program.js'

const root = fileURLToPath(new URL('../../', import.meta.url))

function pagesIn(directory: string): string[] {
  return readdirSync(root + directory, { withFileTypes: true }).flatMap((entry) => {
    const path = `${directory}${entry.name}`
    if (entry.isDirectory() && directory !== '') return pagesIn(`${path}/`)
    return entry.isFile() && path.endsWith('.md') ? [path] : []
  })
}

const pages = ['', 'docs/', 'bench/', 'examples/'].flatMap(pagesIn)
const texts = new Map(pages.map((path) => [path, readFileSync(root + path, 'utf8')]))
const { scripts } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'))

/** A page without its blocks of code, whose brackets are no links. */
const proseOf = (text: string) => text.replace(/^```[\s\S]*?^```$/gm, '').replace(/^ {4}.*$/gm, '')

/** What GitHub and the site call the headings of a page in addresses. */
function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>()
  for (const [, heading] of proseOf(text).matchAll(/^#+ (.*)$/gm)) {
    const plain = (heading ?? '').replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/[`*]/g, '')
    const slug = plain
      .trim()
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\- _]/gu, '')
      .replaceAll(' ', '-')
    let anchor = slug
    for (let again = 1; anchors.has(anchor); again++) anchor = `${slug}-${again}`
    anchors.add(anchor)
  }
  return anchors
}

/** Links and pictures of a page that stay in the repository. */
function linksOf(text: string): string[] {
  const prose = proseOf(text).replace(/`[^`\n]*`/g, '')
  const markdown = [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
  const html = [...prose.matchAll(/\b(?:src|href)="([^"]+)"/g)]
  return [...markdown, ...html]
    .map(([, target]) => target ?? '')
    .filter((target) => !/^[a-z]+:/.test(target))
}

/** Why a link leads nowhere; null where it does. */
function faultOf(page: string, link: string): string | null {
  const [path = '', anchor] = link.split('#')
  const target = path === '' ? page : normalize(join(dirname(page), path))
  if (!existsSync(root + target)) return `${page}: ${link}: no such file`
  if (anchor === undefined) return null
  const text = texts.get(target)
  if (text === undefined || !anchorsOf(text).has(anchor)) return `${page}: ${link}: no such heading`
  return null
}

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
  it('link to files and headings that exist', () => {
    expect(pages).toContain('README.md')
    const links = [...texts].flatMap(([page, text]) => linksOf(text).map((link) => [page, link]))
    expect(links.length).toBeGreaterThan(60)
    const faults = links.map(([page = '', link = '']) => faultOf(page, link))
    expect(faults.filter((fault) => fault !== null)).toEqual([])
  })

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

  it('name npm scripts and examples that exist', () => {
    for (const [page, text] of texts) {
      for (const [, name] of text.matchAll(/\bnpm run ([a-z][\w:-]*)/g))
        expect([page, name, Object.hasOwn(scripts, name ?? '')]).toEqual([page, name, true])
      for (const [, path] of text.matchAll(/\bnode ((?:examples|scripts)\/[\w./-]+)/g))
        expect([page, path, existsSync(root + path)]).toEqual([page, path, true])
    }
  })

  it('would be told of links and commands that are wrong', () => {
    expect(faultOf('README.md', 'docs/no.md')).toContain('no such file')
    expect(faultOf('README.md', 'SECURITY.md#no-such')).toContain('no such heading')
    expect([...anchorsOf('# A `b`, c?\n## D\n## D\n')]).toEqual(['a-b-c', 'd', 'd-1'])
    expect(callsOf("a | npx fr push - --as 'b c' > d && fr ls e # fr rm")).toEqual([
      ['push', '-', '--as', 'b c'],
      ['ls', 'e'],
    ])
    expect(parseCommandLine(['push', '--no-such'], '0.0.0')).toMatchObject({ kind: 'usage' })
  })
})
