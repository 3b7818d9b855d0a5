/**
 * The package as a stranger gets it: packed by `npm pack` with its prebuilt addon, installed in
 * empty projects where no compiler can be found, by the npm of this Node, npm 12 and pnpm, and
 * used there, its benches too. Also what is in it (files.txt), and whether tools agree with its
 * manifest and types.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { conclude, report, run, step } from '../../scripts/steps.mjs'
import { packed } from './tarball.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const root = resolve(here, '../..')
const bin = join(root, 'node_modules/.bin')
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const work = mkdtempSync(join(tmpdir(), 'fr-package-'))

/** What npm runs, or warns of, where a package is installed. */
const installScripts = ['install', 'prepublish', 'prepare'].flatMap((name) => [
  `pre${name}`,
  name,
  `post${name}`,
])

try {
  const tarball = packed(root, work)
  if (tarball !== null) {
    checkListing(tarball)
    checkContent(tarball)
    step('publint', join(bin, 'publint'), ['run', tarball, '--strict'])
    step('attw', join(bin, 'attw'), [tarball, '--profile', 'esm-only', '--no-emoji'])
    const bare = bareEnvironment('bin', process.execPath, ['npm', 'npx'].map(found))
    const installed = join(work, 'installed')
    if (install(installed, bare, ['install', tarball])) {
      use(installed, bare)
      bench(installed, bare)
      checkTypes(installed)
    }
    const clean = join(work, 'clean')
    mkdirSync(clean)
    for (const name of ['package.json', 'package-lock.json']) {
      copyFileSync(join(installed, name), join(clean, name))
    }
    if (install(clean, bare, ['ci'])) use(clean, bare)
    installBy('npm', '12', ['install', tarball])
    installBy('pnpm', '12', ['add', tarball, '--store-dir', join(work, 'store')])
  }
} finally {
  rmSync(work, { recursive: true, force: true })
}
conclude()

/**
 * files.txt names everything but dist, docs and examples. Of dist there is one .js and one .d.ts
 * for each source but those of the page, and what scripts/bundle.mjs makes of the command and the
 * page; of docs and examples everything.
 */
function checkListing(tarball) {
  const startedMs = performance.now()
  const listed = run('tar', ['-tzf', tarball]).output.trim().split('\n')
  const files = listed.map((line) => line.replace(/^package\//, ''))
  const sources = filesIn('src')
    .filter((path) => path.endsWith('.ts') && !path.startsWith('src/page/'))
    .map((path) => path.replace(/^src\//, 'dist/').replace(/\.ts$/, ''))
    .flatMap((path) => [`${path}.js`, `${path}.d.ts`])
  const stored = readFileSync(join(here, 'files.txt'), 'utf8').trim().split('\n')
  const page = ['icon.svg', 'index.html', 'page.css', 'page.js'].map((name) => `dist/page/${name}`)
  const expected = new Set([
    'dist/cli/joined.cjs',
    ...page,
    ...stored,
    ...sources,
    ...filesIn('docs'),
    ...filesIn('examples'),
  ])
  const missing = [...expected].filter((path) => !files.includes(path))
  const unexpected = files.filter((path) => !expected.has(path))
  const problem = [
    ...missing.map((path) => `missing: ${path}`),
    ...unexpected.map((path) => `unexpected: ${path}`),
  ].join('\n')
  report(`listing: ${files.length} files`, problem || null, startedMs)
}

function filesIn(directory) {
  return readdirSync(join(root, directory), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
}

/** What the files of the package say: no script to run, no link or source map that is not there. */
function checkContent(tarball) {
  const unpacked = join(work, 'unpacked')
  mkdirSync(unpacked)
  run('tar', ['-xzf', tarball, '-C', unpacked])
  const top = join(unpacked, 'package')
  const { scripts, repository, homepage } = JSON.parse(readFileSync(join(top, 'package.json')))
  const found = installScripts.filter((name) => Object.hasOwn(scripts, name))
  report('no script runs at installation', found.length === 0 ? null : found.join(', '))
  const invented = [repository, homepage].filter((value) => value !== undefined)
  report('no invented address in the manifest', invented.length === 0 ? null : `${invented}`)
  const dangling = []
  for (const file of readdirSync(top, { recursive: true })) {
    if (!/\.(?:md|js|mjs|ts)$/.test(file)) continue
    const text = readFileSync(join(top, file), 'utf8')
    const links = file.endsWith('.md') ? text.matchAll(/\]\(([^)#:]+)\)/g) : []
    const maps = text.matchAll(/^\/\/# sourceMappingURL=(.+)$/gm)
    for (const [, target] of [...links, ...maps]) {
      if (!existsSync(join(top, dirname(file), target))) dangling.push(`${file}: ${target}`)
    }
  }
  report('every link leads to a file', dangling.length === 0 ? null : dangling.join('\n'))
}

/** A PATH with this Node, these programs and a shell, and nothing that could build an addon. */
function bareEnvironment(name, node, programs) {
  const dir = join(work, name)
  mkdirSync(dir)
  symlinkSync(node, join(dir, 'node'))
  const shell = ['sh', 'env', 'uname', 'sed', 'dirname', 'basename'].map(found)
  for (const program of [...shell, ...programs]) symlinkSync(program, join(dir, basename(program)))
  const builders = ['g++', 'c++', 'cc', 'gcc', 'clang++', 'make', 'python3', 'python']
  const seen = builders.filter((name) => run('sh', ['-c', `command -v ${name}`], bare(dir)).isOk)
  report('no compiler is in reach', seen.length === 0 ? null : `found ${seen.join(', ')}`)
  return bare(dir)
}

function found(program) {
  return run('sh', ['-c', `command -v ${program}`]).output.trim()
}

function bare(dir) {
  return {
    env: { PATH: dir, CXX: '', CC: '', PYTHON: '', XDG_DATA_HOME: dir, XDG_STATE_HOME: dir },
  }
}

function install(project, { env }, args, manager = 'npm', label = manager) {
  mkdirSync(project, { recursive: true })
  if (args[0] !== 'ci') {
    writeFileSync(join(project, 'package.json'), '{"private":true,"type":"module"}\n')
  }
  const startedMs = performance.now()
  const { isOk, output, how } = run(manager, args, { cwd: project, env })
  // What npm says of this machine's own settings is not about the package.
  const said = output.replace(/^npm warn Unknown \w+ config .*$/gm, '')
  const problem = isOk && !/warn|script/i.test(said) ? null : `${how}\n${output}`
  return report(`${label} ${args[0]} in an empty project, no warning`, problem, startedMs)
}

/**
 * The same with a package manager that asks before it runs install scripts, on Node 24. Where the
 * registry does not give it, that is said, and nothing is counted.
 */
function installBy(manager, version, args) {
  const label = `${manager} ${version}`
  const tools = join(work, `tools-${manager}`)
  mkdirSync(tools)
  const wanted = [`${manager}@${version}`, 'node@24']
  const got = run('npm', ['install', '--prefix', tools, '--no-audit', '--no-fund', ...wanted])
  const links = join(tools, 'node_modules/.bin')
  const [node, program] = [join(links, 'node'), join(links, manager)]
  const its = run(program, ['--version'], { env: { PATH: `${links}:${process.env.PATH}` } })
  if (!got.isOk || !its.output.startsWith(`${version}.`)) {
    console.log(`left out: ${label} on Node 24 cannot be had here (${got.how}, ${its.how})`)
    return
  }
  const environment = bareEnvironment(`bin-${manager}`, node, [program])
  const project = join(work, `by-${manager}`)
  if (install(project, environment, args, manager, label)) use(project, environment)
}

function use(project, { env }) {
  const options = { cwd: project, env }
  copyFileSync(join(here, 'smoke.mjs'), join(project, 'smoke.mjs'))
  step('import, require and push', 'node', ['smoke.mjs'], options)
  const fr = join(project, 'node_modules/.bin/fr')
  const push = ['--nodes', '9', '--size', '5MB', '--uplink', '1Gbit']
  step('fr simulate, with a picture', fr, ['simulate', ...push, '--plot', 'out.svg'], options)
  const startedMs = performance.now()
  const { isOk, output } = run(fr, ['--version'], options)
  const isRight = isOk && output.trim() === manifest.version
  report('fr --version', isRight ? null : `said ${output.trim()}`, startedMs)
}

/** The benches of an installed package, where no compiler is in reach. */
function bench(project, { env }) {
  const program = join(project, 'node_modules/.bin/fr-bench')
  const measured = {
    loopback: /^fr push +\d.*(?:.*\n)+.*fr-limit cannot be built/m,
    small: /^fr push, start to exit +\d/m,
    memory: /^16 MiB +\d/m,
  }
  for (const [suite, text] of Object.entries(measured)) {
    const startedMs = performance.now()
    const options = { cwd: project, env: { ...env, XDG_CACHE_HOME: project } }
    const { isOk, output, how } = run(program, [suite, '--quick'], options)
    report(`fr-bench ${suite}`, isOk && text.test(output) ? null : `${how}\n${output}`, startedMs)
  }
  for (const suite of ['micro', 'fast', 'lan', 'lab']) {
    const { output, how } = run(program, [suite, '--quick'], { cwd: project, env })
    const line = `fr-bench ${suite}: needs a clone of the repository; this is the published package`
    const isRight = how === 'exit 2' && output.trimEnd().split('\n').includes(line)
    report(`fr-bench ${suite} says what it needs`, isRight ? null : `${how}\n${output}`)
  }
}

function checkTypes(project) {
  copyFileSync(join(here, 'consumer.ts'), join(project, 'consumer.ts'))
  const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023']
  const types = ['--typeRoots', join(root, 'node_modules/@types'), '--types', 'node']
  const lib = ['--lib', 'es2023,esnext.disposable']
  const args = ['consumer.ts', ...options, ...lib, ...types]
  step('types in a strict project', join(bin, 'tsc'), args, { cwd: project })
}
