/**
 * Holds the repository to its own rules (tidy-rules.ts). Reads every file that is not built or
 * installed; needs no git, so that it also runs in an unpacked archive.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { errorTable } from '../../src/base/errors.js'
import { importCycles } from './tidy-rooms.js'
import { errorTableDifferences, namedFiles, rules } from './tidy-rules.js'
import { claimsOf, codeOf, importsOf } from './tidy-text.js'

const root = fileURLToPath(new URL('../../', import.meta.url))
const made = /^(?:\.git|node_modules|dist|build|build-.*|prebuilds|coverage)$/

function filesUnder(dir: string): string[] {
  return readdirSync(`${root}${dir}`, { withFileTypes: true }).flatMap((entry) => {
    if (made.test(entry.name) || /\.(?:log|tgz)$/.test(entry.name)) return []
    if (entry.isDirectory()) return filesUnder(`${dir}${entry.name}/`)
    return entry.isFile() ? [`${dir}${entry.name}`] : []
  })
}

const files = filesUnder('')

describe('the repository', () => {
  for (const rule of rules) {
    it(rule.name, () => {
      const paths = files.filter((path) => rule.applies(path))
      const violations = paths.flatMap((path) =>
        rule.check(readFileSync(`${root}${path}`, 'utf8'), path).map((line) => `${path}: ${line}`),
      )
      expect(violations).toEqual([])
      expect(paths.length).toBeGreaterThan(0)
    })
  }

  it('has no files that import each other in a circle', () => {
    const sources = files.filter((path) => /^src\/.*\.tsx?$/.test(path))
    const texts = new Map(
      sources.map((path) => [path.replace(/x$/, ''), readFileSync(`${root}${path}`, 'utf8')]),
    )
    expect(importCycles(texts)).toEqual([])
    expect(sources.length).toBeGreaterThan(100)
  })

  it('names no file in a comment that is not there', () => {
    const sources = files.filter((path) => /^src\/.*\.tsx?$/.test(path))
    const isThere = (name: string): boolean => files.some((path) => `/${path}`.endsWith(`/${name}`))
    const missing = sources.flatMap((path) =>
      namedFiles(readFileSync(`${root}${path}`, 'utf8'))
        .filter((name) => !isThere(name))
        .map((name) => `${path}: ${name}`),
    )
    expect(missing).toEqual([])
    const sample = "/** As in a/b.ts (../c-d.ts). */\nimport x from './e.ts' // f.test.ts"
    expect(namedFiles(sample)).toEqual(['a/b.ts', 'c-d.ts', 'f.test.ts'])
  })

  it('has the test that each claim of the architecture names', () => {
    const claims = claimsOf(readFileSync(`${root}docs/architecture.md`, 'utf8'))
    expect(claims.filter(({ shownBy }) => shownBy.length === 0)).toEqual([])
    const tests = claims.flatMap(({ shownBy }) => shownBy.filter((name) => !/^npm /.test(name)))
    expect(tests.filter((name) => !files.includes(`test/${name}.test.ts`))).toEqual([])
    expect(claims.length).toBeGreaterThan(30)
  })

  it('has one error table on both sides', () => {
    const definitions = readFileSync(`${root}native/core/base/errors.def`, 'utf8')
    expect(errorTableDifferences(definitions, errorTable)).toEqual([])
  })
})

describe('every rule bites', () => {
  for (const rule of rules) {
    it(rule.name, () => {
      const violates = ({ path, text }: { path: string; text: string }) =>
        rule.applies(path) && rule.check(text, path).length > 0
      expect(rule.bad.filter((sample) => !violates(sample))).toEqual([])
      expect(rule.good.filter(violates)).toEqual([])
      expect(rule.bad.length).toBeGreaterThan(0)
    })
  }

  it('the search for circles of imports', () => {
    const cyclesOf = (files: Record<string, string>): string[][] =>
      importCycles(new Map(Object.entries(files)))
    const straight = {
      'src/a.ts': "import './b.js'",
      'src/b.ts': "import './c.js'",
      'src/c.ts': '',
    }
    expect(cyclesOf(straight)).toEqual([])
    const round = { ...straight, 'src/c.ts': "import type { A } from './a.js'" }
    expect(cyclesOf(round)).toEqual([['src/a.ts', 'src/b.ts', 'src/c.ts']])
    expect(cyclesOf({ 'src/a.ts': "export * from './a.js'" })).toEqual([['src/a.ts']])
  })

  it('the comparison of error tables', () => {
    const table = { ERR_A: { native: 1 }, ERR_B: {}, ERR_C: { native: 3 } }
    expect(errorTableDifferences('X(1, ERR_A)\nX(3, ERR_C)\n', table)).toEqual([])
    expect(errorTableDifferences('X(2, ERR_A)\nX(3, ERR_C)\n', table)).toHaveLength(1)
    expect(errorTableDifferences('X(1, ERR_A)\n', table)).toHaveLength(1)
    expect(errorTableDifferences('X(1, ERR_A)\nX(1, ERR_C)\n', table)).toHaveLength(2)
    expect(errorTableDifferences('X(1, ERR_A)\nX(3, ERR_C)\nX(4, ERR_D)\n', table)).toHaveLength(1)
  })
})

describe('the reading of files', () => {
  it('finds every form of import', () => {
    const text = [
      "import a from 'a'",
      "import type {\n  B,\n} from 'b'",
      "import 'c'",
      "export * from 'd'",
      "const e = await import('e')",
      "type F = import('f').F",
      "const g = require('g')",
      "// import h from 'h'",
    ].join('\n')
    expect(importsOf(text).sort()).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g'])
  })

  it('keeps code, blanks the rest', () => {
    const text = `a /* b */ 'c' // d\nreturn /e'/.test(\`f \${g} h\`) / i`
    expect(codeOf(text).replace(/\s+/g, ' ')).toBe(`a return .test(\${g}) / i`)
  })
})
