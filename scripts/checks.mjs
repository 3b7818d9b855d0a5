/**
 * How the programs are built that check the native code. Each check builds its own first:
 *
 *   unit    build-unit, the native tests
 *   asan    build-asan, native tests and addon with AddressSanitizer, LeakSanitizer and
 *           UndefinedBehaviorSanitizer
 *   tsan    build-tsan, the same with ThreadSanitizer
 *   fuzz    build-fuzz, the fuzzers
 *
 *   node scripts/checks.mjs [NAME ...]    builds them all, or only these, and runs none
 */
import { pathToFileURL } from 'node:url'
import { buildEnv, step } from './steps.mjs'

const clang = ['-DCMAKE_C_COMPILER=clang-14', '-DCMAKE_CXX_COMPILER=clang++-14']

/** Builds one by its name, recompiling what changed; false when that failed. */
export const builds = {
  unit: () => plain('unit', []),
  asan: () => sanitized('asan', 'address,undefined'),
  tsan: () => sanitized('tsan', 'thread'),
  fuzz: () => plain('fuzz', ['-DFR_FUZZ=ON', ...clang]),
}

function plain(name, options) {
  const dir = `build-${name}`
  return (
    step(`${name}: configure`, 'cmake', ['-S', '.', '-B', dir, ...options]) &&
    step(`${name}: build`, 'cmake', ['--build', dir, '-j', '2'])
  )
}

/** cmake-js knows how an addon is built. */
function sanitized(name, flags) {
  const cmakeJs = ['node_modules/cmake-js/bin/cmake-js', 'build', '-O', `build-${name}`, '-p', '2']
  const args = [...cmakeJs, '-B', 'Release', `--CDFR_SANITIZE=${flags}`]
  return step(`${name}: build`, process.execPath, args, { env: buildEnv() })
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const names = process.argv.slice(2)
  const built = (names.length > 0 ? names : Object.keys(builds)).map((name) => builds[name]())
  process.exitCode = built.every(Boolean) ? 0 : 1
}
