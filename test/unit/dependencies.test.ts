/** What comes from others: pinned, with its digest, and named where it is said what there is. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const read = (path: string): string =>
  readFileSync(join(import.meta.dirname, '../..', path), 'utf8')
const { dependencies } = JSON.parse(read('package.json')) as {
  dependencies: Record<string, string>
}

interface Locked {
  readonly version?: string
  readonly integrity?: string
  readonly link?: boolean
  readonly hasInstallScript?: boolean
  readonly dev?: boolean
}

it('is pinned, and SECURITY.md names all of it that runs', () => {
  const names = Object.keys(dependencies)
  for (const version of Object.values(dependencies)) expect(version).toMatch(/^\d+\.\d+\.\d+$/)
  expect(read('SECURITY.md')).toContain(`packages at run time (${names.sort().join(', ')}), pinned`)
})

it('has a SHA-512 in the lockfile, and at run time no script at installation', () => {
  const { packages } = JSON.parse(read('package-lock.json')) as {
    packages: Record<string, Locked>
  }
  const fetched = Object.entries(packages).filter(
    ([path, { link }]) => path.startsWith('node_modules/') && link !== true,
  )
  expect(fetched.length).toBeGreaterThan(Object.keys(dependencies).length)
  for (const [path, { version, integrity, hasInstallScript, dev }] of fetched) {
    expect(version, path).toBeDefined()
    expect(integrity, path).toMatch(/^sha512-/)
    if (dev !== true) expect(hasInstallScript, path).toBeUndefined()
  }
})
