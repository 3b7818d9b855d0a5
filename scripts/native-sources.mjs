/**
 * Sources of the native code: the one list for binding.gyp and CMakeLists.txt.
 *
 *   node scripts/native-sources.mjs DIR core addon    the sources of these rooms, one per line
 *   node scripts/native-sources.mjs DIR test          those of the native tests
 *   node scripts/native-sources.mjs DIR blake3        the folder of the official BLAKE3
 *   node scripts/native-sources.mjs DIR zstd          that of the sources of zstd
 *
 * The C++ of a folder is compiled as one: a file in DIR, written here, includes its files. What
 * they include costs several times what they say, for compilers and for clang-tidy, and so it is
 * read once. Names that only one file of a folder sees are therefore not those of another one.
 *
 * BLAKE3 is compiled from the package that contains it, with the assembly for the processor; the
 * instruction set is chosen at run time. native/core/hash/blake3_tree.c includes its blake3.c, and
 * native/core/coding/zstd_unit.c what is used of zstd, from the package that contains that.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const native = join(root, 'native')
const [dir, ...rooms] = process.argv.slice(2)
const into = resolve(root, dir)
const require = createRequire(import.meta.url)
const blake3 = join(dirname(require.resolve('@c4312/blake3-native/package.json')), 'c')
const zstd = join(dirname(require.resolve('zstd-napi/package.json')), 'deps', 'zstd', 'lib')
const packages = { blake3, zstd }

function blake3Sources() {
  const always = ['blake3_dispatch.c', 'blake3_portable.c']
  const instructions = {
    x64: ['sse2', 'sse41', 'avx2', 'avx512'].map((set) => `blake3_${set}_x86-64_unix.S`),
    arm64: ['blake3_neon.c'],
  }
  const arch = process.env.PREBUILD_ARCH ?? process.env.npm_config_arch ?? process.arch
  const own = instructions[arch] ?? []
  return [...always, ...own].map((name) => join(blake3, name))
}

function sourcesOf(room) {
  const folder = join(root, 'native', room)
  const isSource = room === 'test' ? /_test\.cc$/ : /\.cc?$/
  const own = readdirSync(folder, { recursive: true })
    .filter((name) => isSource.test(name))
    .sort()
    .map((name) => join(folder, name))
  const joined = joinedByFolder(own.filter((path) => path.endsWith('.cc')))
  const others = own.filter((path) => !path.endsWith('.cc'))
  return [...joined, ...others, ...(room === 'core' ? blake3Sources() : [])]
}

function joinedByFolder(paths) {
  const folders = [...new Set(paths.map((path) => dirname(path)))]
  return folders.map((folder) => {
    const names = paths.filter((path) => dirname(path) === folder)
    const lines = names.map((path) => `#include "${relative(native, path)}"\n`)
    const joined = join(into, `${relative(native, folder).replaceAll('/', '-')}.cc`)
    writeChanged(joined, lines.join(''))
    return joined
  })
}

/** Leaves a file that is so already: builds go by its time. */
function writeChanged(path, text) {
  if (existsSync(path) && readFileSync(path, 'utf8') === text) return
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}

const paths = rooms.flatMap((what) => packages[what] ?? sourcesOf(what))
console.log(paths.map((path) => relative(root, path)).join('\n'))
