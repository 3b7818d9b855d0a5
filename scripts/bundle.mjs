/**
 * Joins the modules of the command `fr` (dist/cli/main.js and all it imports of this package) into
 * a few files, because a command that reads and links a hundred modules starts late. Dependencies
 * stay where they are. What is imported only when it is needed stays a file of its own. Nothing is
 * made smaller, so that a stack trace names lines that can be read.
 *
 * All files lie in dist/cli, two folders deep as src/cli is: what names a file of the package by
 * its place does so from there (src/engine/package-root.ts).
 */
import { readdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const folder = join(dirname(fileURLToPath(import.meta.url)), '../dist/cli')
const joined = /^joined-\w+\.js$/

for (const name of readdirSync(folder)) if (joined.test(name)) rmSync(join(folder, name))
await build({
  entryPoints: [join(folder, 'main.js')],
  outdir: folder,
  allowOverwrite: true,
  chunkNames: 'joined-[hash]',
  bundle: true,
  splitting: true,
  packages: 'external',
  format: 'esm',
  platform: 'node',
  target: 'node20',
  logLevel: 'warning',
})
