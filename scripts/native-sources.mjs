/**
 * Sources of the native code: the one list for binding.gyp and CMakeLists.txt.
 *
 *   node scripts/native-sources.mjs core addon    the sources of these rooms, one per line
 *   node scripts/native-sources.mjs blake3        the folder of the official BLAKE3
 *
 * BLAKE3 is compiled from the package that contains it, with the assembly for this processor; the
 * instruction set is chosen at run time. native/core/hash/blake3_tree.c includes its blake3.c.
 */
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const require = createRequire(import.meta.url)
const blake3 = join(dirname(require.resolve('@c4312/blake3-native/package.json')), 'c')

function blake3Sources() {
  const always = ['blake3_dispatch.c', 'blake3_portable.c']
  const instructions = {
    x64: ['sse2', 'sse41', 'avx2', 'avx512'].map((set) => `blake3_${set}_x86-64_unix.S`),
    arm64: ['blake3_neon.c'],
  }
  const own = instructions[process.env.npm_config_arch ?? process.arch] ?? []
  return [...always, ...own].map((name) => join(blake3, name))
}

function sourcesOf(room) {
  const folder = join(root, 'native', room)
  const own = readdirSync(folder, { recursive: true })
    .filter((name) => /\.cc?$/.test(name))
    .sort()
    .map((name) => join(folder, name))
  return room === 'core' ? [...own, ...blake3Sources()] : own
}

const paths = process.argv
  .slice(2)
  .flatMap((what) => (what === 'blake3' ? [blake3] : sourcesOf(what)))
console.log(paths.map((path) => relative(root, path)).join('\n'))
