/** The Markdown pages of the repository, for the tests that look at them. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../../', import.meta.url))

function pagesIn(directory: string): string[] {
  return readdirSync(root + directory, { withFileTypes: true }).flatMap((entry) => {
    const path = `${directory}${entry.name}`
    if (entry.isDirectory() && directory !== '') return pagesIn(`${path}/`)
    return entry.isFile() && path.endsWith('.md') ? [path] : []
  })
}

export const pages = ['', 'docs/', 'bench/', 'examples/'].flatMap(pagesIn)
export const texts = new Map(pages.map((path) => [path, readFileSync(root + path, 'utf8')]))
