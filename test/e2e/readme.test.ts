/**
 * Checks the claims of the README; links and commands of all pages are looked at in
 * test/unit/documents.test.ts. This file generates the synopsis in docs/commands.md and the
 * table in docs/errors.md: `UPDATE_README=1 npx vitest run test/e2e/readme.test.ts` writes them;
 * otherwise they are compared.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { errorTable } from '../../src/base/errors.js'
import { limits } from '../../src/base/limits.js'

const root = fileURLToPath(new URL('../../', import.meta.url))
const read = (path: string) => readFileSync(root + path, 'utf8')
const packageJson = JSON.parse(read('package.json'))
const readme = read('README.md')

const commands = [
  ...['node', 'master', 'push', 'get', 'copy', 'wait', 'status', 'top', 'add', 'limit', 'simulate'],
  ...['ls', 'rm', 'verify', 'digest', 'keygen', 'id', 'deploy', 'completion'],
]

function helpOf(...args: string[]): string {
  return execFileSync(process.execPath, [`${root}dist/cli/main.js`, ...args], { encoding: 'utf8' })
}

function synopsis(): string {
  const blocks = commands.map((command) => {
    const help = helpOf(command, '--help')
    const usage = /^Usage: (.*)$/m.exec(help)?.[1]
    const about = help.split('\n')[2]
    // Every group of options, without arguments and examples.
    const groups = help.split('\n\n').filter((block) => /^[^\n]*:\n {2}-/.test(block))
    const options = groups.map((group) => group.replace(/^Options:\n/, '')).join('\n')
    return `${usage}\n  ${about}\n${options}`
  })
  return `\`\`\`text\n${blocks.join('\n\n')}\n\`\`\``
}

function errors(): string {
  const rows = Object.entries(errorTable).map(
    ([code, row]) => `| \`${code}\` | ${row.meaning} | ${row.retryable ? 'yes' : 'no'} |`,
  )
  return ['| code | meaning | worth trying again |', '|---|---|---|', ...rows].join('\n')
}

/** Compares what a page has between `<!-- NAME... -->` and `<!-- /NAME -->`, or writes it. */
function expectBlock(path: string, name: string, content: string): void {
  const block = new RegExp(`(<!-- ${name}\\b[^>]*-->\\n)([\\s\\S]*?)(<!-- /${name} -->)`)
  let page = read(path)
  if (process.env['UPDATE_README'] === '1') {
    page = page.replace(block, (_, open, __, close) => `${open}\n${content}\n\n${close}`)
    writeFileSync(root + path, page)
  }
  expect(block.exec(page)?.[2]?.trim()).toBe(content)
}

const fences = (language: string) =>
  [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(
    (match) => match[1] ?? '',
  )

describe('README.md', () => {
  it('has the synopsis of the commands as they are behind it', () =>
    expectBlock('docs/commands.md', 'synopsis', synopsis()))

  it('has the table of errors as it is behind it', () =>
    expectBlock('docs/errors.md', 'errors', errors()))

  it('shows the library example that the tests run', () => {
    const example = read('examples/library.mjs').replace(/^\/\*\*[\s\S]*?\*\/\n/, '')
    expect(fences('js')).toEqual([example])
    expect(example.trimEnd().split('\n').length).toBeLessThanOrEqual(10)
  })

  it('names npm scripts that exist', () => {
    const names = [...readme.matchAll(/\bnpm (?:run )?([a-z][\w:-]*)/g)].map((match) => match[1])
    expect(names).toContain('demo')
    for (const name of names) {
      if (name !== 'ci' && name !== 'install')
        expect(packageJson.scripts).toHaveProperty([name ?? ''])
    }
    const script = /scripts\/[\w.-]+/.exec(packageJson.scripts.demo)?.[0]
    expect(existsSync(root + script)).toBe(true)
  })

  it('gives the numbers of the code', () => {
    expect(read('docs/limits.md')).toContain(`At most ${limits.nodesPerPush} nodes a push`)
    expect(packageJson.engines.node).toBe('>=20.19')
    expect(readme).toContain('Node 20.19 or later')
    expect(read('LICENSE')).toContain('MIT License')
    expect(packageJson.license).toBe('MIT')
  })
})
