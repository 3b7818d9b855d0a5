/**
 * The Markdown pages of the repository: links lead somewhere, headings that they name exist, so do
 * scripts, and figures were measured. Commands are looked at in documents.test.ts.
 */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, it } from 'vitest'
import { pages, root, texts } from './pages.js'

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

describe('the pages', () => {
  it('link to files and headings that exist', () => {
    expect(pages).toContain('README.md')
    const links = [...texts].flatMap(([page, text]) => linksOf(text).map((link) => [page, link]))
    expect(links.length).toBeGreaterThan(60)
    const faults = links.map(([page = '', link = '']) => faultOf(page, link))
    expect(faults.filter((fault) => fault !== null)).toEqual([])
  })

  it('name npm scripts and examples that exist', () => {
    for (const [page, text] of texts) {
      for (const [, name] of text.matchAll(/\bnpm run ([a-z][\w:-]*)/g))
        expect([page, name, Object.hasOwn(scripts, name ?? '')]).toEqual([page, name, true])
      for (const [, path] of text.matchAll(/\bnode ((?:examples|scripts)\/[\w./-]+)/g))
        expect([page, path, existsSync(root + path)]).toEqual([page, path, true])
    }
  })

  it('show figures that were measured', () => {
    const results = texts.get('bench/RESULTS.md') ?? ''
    const table = /^\| \| 128 MiB to 8 nodes.*\n((?:\|.*\n)+)/m.exec(
      texts.get('README.md') ?? '',
    )?.[1]
    const shown = [...(table ?? '').matchAll(/\b\d+\.\d+\b/g)].map(([figure]) => figure)
    // What a link of 200 Mbit/s takes for eight copies is computed.
    const computed = ((8 * 128 * 2 ** 20 * 8) / 200e6).toFixed(1)
    const known = (figure: string) =>
      figure === computed || new RegExp(`\\| ${figure}(?: \\||  ?\\()`).test(results)
    expect(shown.length).toBeGreaterThanOrEqual(9)
    expect(shown.filter((figure) => !known(figure))).toEqual([])
  })

  it('would be told of links that are wrong', () => {
    expect(faultOf('README.md', 'docs/no.md')).toContain('no such file')
    expect(faultOf('README.md', 'SECURITY.md#no-such')).toContain('no such heading')
    expect([...anchorsOf('# A `b`, c?\n## D\n## D\n')]).toEqual(['a-b-c', 'd', 'd-1'])
  })
})
