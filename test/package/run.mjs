/**
 * The package as a stranger gets it: packed by `npm pack` with its prebuilt addon, installed in
 * empty projects where no compiler can be found, used there. Also what is in it (files.txt), and
 * whether tools agree with its manifest and types.
 *
 * Packs a copy of the tree, because prebuildify takes the addon of the tree it runs in with it.
 */
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildEnv, conclude, report, run, step } from '../../scripts/steps.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const root = resolve(here, '../..')
const bin = join(root, 'node_modules/.bin')
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const work = mkdtempSync(join(tmpdir(), 'fr-package-'))

try {
  const tarball = pack()
  if (tarball !== null) {
    checkListing(tarball)
    step('publint', join(bin, 'publint'), ['run', tarball, '--strict'])
    step('attw', join(bin, 'attw'), [tarball, '--profile', 'esm-only', '--no-emoji'])
    const bare = bareEnvironment()
    const installed = join(work, 'installed')
    if (install(installed, bare, ['install', tarball])) {
      use(installed, bare)
      checkTypes(installed)
    }
    const clean = join(work, 'clean')
    mkdirSync(clean)
    for (const name of ['package.json', 'package-lock.json']) {
      copyFileSync(join(installed, name), join(clean, name))
    }
    if (install(clean, bare, ['ci'])) use(clean, bare)
  }
} finally {
  rmSync(work, { recursive: true, force: true })
}
conclude()

/** The path of the tarball, or null. */
function pack() {
  const tree = join(work, 'tree')
  const made = /^(?:\.git|node_modules|dist|build|build-.*|prebuilds|coverage)$/
  for (const name of readdirSync(root)) {
    if (!made.test(name)) cpSync(join(root, name), join(tree, name), { recursive: true })
  }
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'))
  const args = ['pack', '--pack-destination', work]
  if (
    !step('npm pack, with prebuilt addon', 'npm', args, {
      cwd: tree,
      env: { ...buildEnv(), FR_SKIP_NATIVE: '1' },
    })
  )
    return null
  return join(work, readdirSync(work).find((name) => name.endsWith('.tgz')) ?? 'no tarball')
}

/** files.txt names everything but dist, which must be one .js and one .d.ts for each source. */
function checkListing(tarball) {
  const startedMs = performance.now()
  const listed = run('tar', ['-tzf', tarball]).output.trim().split('\n')
  const files = listed.map((line) => line.replace(/^package\//, ''))
  const sources = readdirSync(join(root, 'src'), { recursive: true })
    .filter((path) => path.endsWith('.ts'))
    .flatMap((path) => ['.js', '.d.ts'].map((end) => `dist/${path.replace(/\.ts$/, end)}`))
  const stored = readFileSync(join(here, 'files.txt'), 'utf8').trim().split('\n')
  const expected = new Set([...stored, ...sources])
  const missing = [...expected].filter((path) => !files.includes(path))
  const unexpected = files.filter((path) => !expected.has(path))
  const problem = [
    ...missing.map((path) => `missing: ${path}`),
    ...unexpected.map((path) => `unexpected: ${path}`),
  ].join('\n')
  report(`listing: ${files.length} files`, problem || null, startedMs)
}

/** A PATH with Node and a shell, and nothing that could build an addon. */
function bareEnvironment() {
  const dir = join(work, 'bin')
  mkdirSync(dir)
  for (const name of ['node', 'npm', 'npx', 'sh', 'env', 'uname']) {
    const found = run('sh', ['-c', `command -v ${name}`]).output.trim()
    symlinkSync(name === 'node' ? process.execPath : found, join(dir, name))
  }
  const builders = ['g++', 'c++', 'cc', 'gcc', 'clang++', 'make', 'python3', 'python']
  const seen = builders.filter((name) => run('sh', ['-c', `command -v ${name}`], bare(dir)).isOk)
  report('no compiler is in reach', seen.length === 0 ? null : `found ${seen.join(', ')}`)
  return bare(dir)
}

function bare(dir) {
  return { env: { PATH: dir, CXX: '', CC: '', PYTHON: '' } }
}

function install(project, { env }, args) {
  mkdirSync(project, { recursive: true })
  if (args[0] === 'install') {
    writeFileSync(join(project, 'package.json'), '{"private":true,"type":"module"}\n')
  }
  return step(`npm ${args[0]} in an empty project`, 'npm', args, { cwd: project, env })
}

function use(project, { env }) {
  const options = { cwd: project, env }
  copyFileSync(join(here, 'smoke.mjs'), join(project, 'smoke.mjs'))
  step('import, require and push', 'node', ['smoke.mjs'], options)
  const startedMs = performance.now()
  const { isOk, output } = run(join(project, 'node_modules/.bin/fr'), ['--version'], options)
  const isRight = isOk && output.trim() === manifest.version
  report('fr --version', isRight ? null : `said ${output.trim()}`, startedMs)
}

function checkTypes(project) {
  copyFileSync(join(here, 'consumer.ts'), join(project, 'consumer.ts'))
  const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023']
  const types = ['--typeRoots', join(root, 'node_modules/@types'), '--types', 'node']
  const lib = ['--lib', 'es2023,esnext.disposable']
  const args = ['consumer.ts', ...options, ...lib, ...types]
  step('types in a strict project', join(bin, 'tsc'), args, { cwd: project })
}
