/**
 * Joins the modules of the page of the HTTP door (src/page) into dist/page, with the libraries that
 * are in it under their licences.
 *
 * Joins the modules of the command `fr` into one file, dist/cli/joined.cjs, which main.js loads:
 * a command that finds, reads and links a hundred modules starts late. It is CommonJS, because Node
 * starts that sooner than a module. A module in it runs when it is first asked for. Nothing is made
 * smaller, so that a stack trace names lines that can be read.
 *
 * `commander` is joined with it, under its licence; other dependencies stay where they are and are
 * loaded by what needs them.
 *
 * The picture of a simulation (dist/cli/plot/draw.js) is a file of its own: it is joined with the
 * library that draws, which is several times as long as all else and seldom wanted.
 *
 * The file lies in dist/cli, two folders deep as src/cli is: what names a file of the package by
 * its place does so from there (src/engine/package-root.ts).
 */
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const folder = join(root, 'dist/cli')
const licencesOf = (...names) =>
  names.map((name) => {
    const folder = join(root, 'node_modules', name)
    const texts = ['LICENSE', 'NOTICE', 'LICENSE.txt'].filter((file) =>
      existsSync(join(folder, file)),
    )
    const read = texts.map((file) => readFileSync(join(folder, file), 'utf8').trim())
    return `/*\n${name}:\n\n${read.join('\n\n').replaceAll('*/', '* /')}\n*/\n`
  })
const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const banner = `${licencesOf('commander').join('')}
const joinedUrl = require("node:url").pathToFileURL(__filename).href`
const plot = join(folder, 'plot/draw.js')
const shared = { bundle: true, platform: 'node', target: 'node20', logLevel: 'warning' }

for (const name of readdirSync(folder)) if (name.startsWith('joined')) rmSync(join(folder, name))
await build({
  ...shared,
  entryPoints: [join(folder, 'start.js')],
  outfile: join(folder, 'joined.cjs'),
  format: 'cjs',
  external: [...Object.keys(dependencies).filter((name) => name !== 'commander'), plot],
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
await build({
  ...shared,
  entryPoints: [plot],
  outfile: plot,
  allowOverwrite: true,
  format: 'esm',
  legalComments: 'none',
  banner: { js: licencesOf('echarts', 'zrender', 'tslib').join('') },
})

const page = join(root, 'dist/page')
rmSync(page, { recursive: true, force: true })
await build({
  bundle: true,
  logLevel: 'warning',
  entryPoints: ['page.tsx', 'page.css'].map((name) => join(root, 'src/page', name)),
  outdir: page,
  platform: 'browser',
  target: 'es2022',
  format: 'esm',
  minify: true,
  legalComments: 'none',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  banner: { js: licencesOf('preact', 'uplot').join('') },
})
for (const name of ['index.html', 'icon.svg'])
  copyFileSync(join(root, 'src/page', name), join(page, name))
