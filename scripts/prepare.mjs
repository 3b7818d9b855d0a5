/**
 * Builds a checkout: the native addon, then the TypeScript. npm runs it at the end of `npm ci`
 * (scripts/checkout) and before it packs. It names missing tools in one line before it starts a
 * compiler.
 *
 *   node scripts/prepare.mjs            addon from scratch, and TypeScript
 *   node scripts/prepare.mjs --native   addon only, recompiling what changed
 *   node scripts/prepare.mjs --ts       TypeScript only, unless nothing changed since
 *   node scripts/prepare.mjs --package  for publication: both from scratch, nothing older
 *
 * FR_SKIP_NATIVE=1 skips the addon of a checkout; the portable engine works without it.
 * FR_PREBUILDS=x64,arm64 are the processors that a package has the addon for, which is the default;
 * that of another machine is cross-compiled (docs/releasing.md).
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildEnv } from './steps.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const nativeOnly = process.argv.includes('--native')
const tsOnly = process.argv.includes('--ts')
const forPackage = process.argv.includes('--package')

/** `command` may include arguments, as in CXX="ccache g++". */
function works(command) {
  const [program, ...args] = command.trim().split(/\s+/)
  return spawnSync(program, [...args, '--version'], { stdio: 'ignore' }).status === 0
}

function missingTools() {
  const missing = []
  const compiler = process.env.CXX ?? 'g++'
  if (!works(compiler)) missing.push(`a C++ compiler (${compiler})`)
  if (!works('make')) missing.push('make')
  if (!works(process.env.PYTHON ?? 'python3')) missing.push('python3')
  return missing
}

function run(name, args, env = {}) {
  const { status } = spawnSync(process.execPath, [join(root, 'node_modules', name), ...args], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...buildEnv(), ...env },
  })
  if (status !== 0) process.exit(status ?? 1)
}

/** What Debian's cross compilers are called, by what Node calls the processor. */
const crossNames = { arm64: 'aarch64-linux-gnu', x64: 'x86-64-linux-gnu' }

/** Of each processor the compilers as environment; that of this machine last, in build/Release. */
function wantedPrebuilds() {
  const names = (process.env.FR_PREBUILDS ?? 'x64,arm64').split(',')
  const unknown = names.find((name) => !Object.hasOwn(crossNames, name))
  if (unknown !== undefined) fail(`FR_PREBUILDS: no processor is '${unknown}': x64, arm64`)
  return names
    .toSorted((a, b) => Number(a === process.arch) - Number(b === process.arch))
    .map((arch) => {
      if (arch === process.arch) return { arch, env: {} }
      const tool = crossNames[arch]
      if (!works(`${tool}-g++`))
        fail(
          `for the addon of ${arch}, install ${tool}-g++ (Debian: apt-get install g++-${tool}),` +
            ` or set FR_PREBUILDS=${process.arch} for a package without it`,
        )
      const env = { CC: `${tool}-gcc`, CXX: `${tool}-g++`, AR: `${tool}-ar` }
      return { arch, env: { ...env, PREBUILD_STRIP_BIN: `${tool}-strip` } }
    })
}

function fail(text) {
  console.error(`fastreplica: ${text}`)
  process.exit(1)
}

function buildFor(arch, env) {
  const options = ['--napi', '--strip', '--tag-libc', '--name', 'fastreplica', '--arch', arch]
  run('prebuildify/bin.js', options, env)
}

function buildAddon() {
  if (process.env.FR_SKIP_NATIVE === '1' && !forPackage) return
  const sources = join(root, 'native', 'addon')
  if (!existsSync(sources) || !readdirSync(sources).some((name) => name.endsWith('.cc'))) {
    console.error('fastreplica: native/addon has no sources, the addon is not built')
    return
  }
  const missing = missingTools()
  if (missing.length > 0)
    fail(
      `to build the native engine, install ${missing.join(' and ')}` +
        ' (Debian: apt-get install g++ make python3), or set FR_SKIP_NATIVE=1',
    )
  if (forPackage) {
    for (const { arch, env } of wantedPrebuilds()) buildFor(arch, env)
    return
  }
  const gyp = 'node-gyp/bin/node-gyp.js'
  const options = ['-j', '2', '--loglevel=error']
  if (nativeOnly) {
    run(gyp, ['configure', ...options])
    run(gyp, ['build', ...options])
  } else run(gyp, ['rebuild', ...options])
}

/** Touched after each build but those for publication, where it would be packed. */
const builtMark = join(root, 'dist', '.built')

function isBuilt() {
  if (!existsSync(builtMark)) return false
  const builtMs = statSync(builtMark).mtimeMs
  const read = [
    'src',
    'scripts',
    'package.json',
    'tsconfig.json',
    'node_modules/.package-lock.json',
  ]
  return read.every((name) => newestMs(join(root, name)) < builtMs)
}

/** Of a file, or of a folder and all that is in it: one that lost a file is newer. */
function newestMs(path) {
  const found = statSync(path)
  const below = found.isDirectory()
    ? readdirSync(path).map((name) => newestMs(join(path, name)))
    : []
  return Math.max(found.mtimeMs, ...below)
}

async function buildTypeScript() {
  if (tsOnly && isBuilt()) return
  const startedMs = Date.now()
  rmSync(builtMark, { force: true })
  run('typescript/bin/tsc', ['-p', '.'])
  await import('./bundle.mjs')
  if (forPackage) return
  writeFileSync(builtMark, '')
  // What is changed during a build is not in it.
  utimesSync(builtMark, startedMs / 1000, startedMs / 1000)
}

if (forPackage) {
  for (const made of ['dist', 'prebuilds']) {
    rmSync(join(root, made), { recursive: true, force: true })
  }
}
if (!tsOnly) buildAddon()
if (!nativeOnly) await buildTypeScript()
