/** What a command loads before it works: two files, whichever command it is. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { main } from './cli-world.js'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'fr-start-'))
  writeFileSync(join(folder, 'file'), 'content')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Modules of this package that one run loads, as V8 reports them when the process ends. */
function loaded(...args: readonly string[]): string[] {
  const reports = join(folder, `reports-${args[0]}`)
  const env = { ...process.env, NODE_V8_COVERAGE: reports }
  execFileSync(process.execPath, [main, ...args], { cwd: folder, env, stdio: 'pipe' })
  return readdirSync(reports).flatMap((name) => {
    const { result } = JSON.parse(readFileSync(join(reports, name), 'utf8')) as {
      result: readonly { readonly url: string }[]
    }
    return result.map(({ url }) => url).filter((url) => /\/(?:dist|src)\//.test(url))
  })
}

it.each([
  ['--version', ['--version']],
  ['push', ['push', 'file', '--to', '127.0.0.1:7400', '--dry-run']],
  ['digest', ['digest', 'file']],
])('fr %s loads its modules joined', (_, args) => {
  const modules = loaded(...args).map((url) => url.replace(/.*\/(?=dist\/)/, ''))
  // Nor a dependency: the one that all commands need is joined with them.
  expect(modules.sort()).toEqual(['dist/cli/joined.cjs', 'dist/cli/main.js'])
})
