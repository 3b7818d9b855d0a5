/**
 * Joins the modules of the command `fr` into one file, dist/cli/joined.cjs, which main.js loads:
 * a command that finds, reads and links a hundred modules starts late. It is CommonJS, because Node
 * starts that sooner than a module. A module in it runs when it is first asked for. Nothing is made
 * smaller, so that a stack trace names lines that can be read.
 *
 * `commander` is joined with it, under its licence; other dependencies stay where they are and are
 * loaded by what needs them.
 *
 * The file lies in dist/cli, two folders deep as src/cli is: what names a file of the package by
 * its place does so from there (src/engine/package-root.ts).
 */
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const folder = join(root, 'dist/cli')
const licence = readFileSync(join(root, 'node_modules/commander/LICENSE'), 'utf8').trim()
const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const banner = `/*
commander:

${licence}
*/
const joinedUrl = require("node:url").pathToFileURL(__filename).href`
const shared = { bundle: true, platform: 'node', target: 'node20', logLevel: 'warning' }

for (const name of readdirSync(folder)) if (name.startsWith('joined')) rmSync(join(folder, name))
await build({
  ...shared,
  entryPoints: [join(folder, 'start.js')],
  outfile: join(folder, 'joined.cjs'),
  format: 'cjs',
  external: Object.keys(dependencies).filter((name) => name !== 'commander'),
  define: { 'import.meta.url': 'joinedUrl' },
  banner: { js: banner },
})
await build({
  ...shared,
  entryPoints: [join(folder, 'main.js')],
  outdir: folder,
  allowOverwrite: true,
  format: 'esm',
  packages: 'external',
})
