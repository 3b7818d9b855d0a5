/**
 * Formats and lints the C++ sources with the Debian clang 14 tools.
 *
 *   node scripts/clang.mjs format            fails on a file that is not formatted
 *   node scripts/clang.mjs format --write    formats in place
 *   node scripts/clang.mjs tidy              clang-tidy over native/core, with at most 50,000
 *                                            states of a function: half of the time
 *
 * Without the tools the check is skipped with a message; in CI that is a failure.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'

const [task, flag] = process.argv.slice(2)

function sources(dir, endings) {
  if (!existsSync(dir)) return []
  return readdirSync(dir, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && endings.some((ending) => entry.name.endsWith(ending)))
    .map((entry) => `${entry.parentPath ?? entry.path}/${entry.name}`)
    .sort()
}

function need(tool) {
  if (spawnSync(tool, ['--version'], { stdio: 'ignore' }).status === 0) return
  console.error(`${tool} is not installed: C++ ${task} left out (Debian: apt-get install ${tool})`)
  process.exit(process.env.CI ? 1 : 0)
}

function run(command, args) {
  const { status } = spawnSync(command, args, { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

if (task === 'format') {
  need('clang-format-14')
  const files = sources('native', ['.c', '.cc', '.h'])
  run('clang-format-14', [...(flag === '--write' ? ['-i'] : ['--dry-run', '-Werror']), ...files])
  console.log(`clang-format: ${files.length} files`)
} else if (task === 'tidy') {
  need('clang-tidy-14')
  const files = sources('native/core', ['.cc'])
  // The headers that gcc has precompiled mean nothing to clang.
  const plain = '-DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON'
  run('cmake', ['-S', '.', '-B', 'build-tidy', '-Wno-dev', plain])
  const analyzer = ['-analyzer-config', 'max-nodes=50000'].flatMap((argument) => [
    '--extra-arg=-Xclang',
    `--extra-arg=${argument}`,
  ])
  // One process per file and core, because the tool uses one thread.
  const lint = ['clang-tidy-14', '--quiet', ...analyzer, '-p', 'build-tidy'].join(' ')
  run('sh', ['-c', `printf "%s\\n" "$@" | xargs -n 1 -P 2 ${lint}`, 'sh', ...files])
  console.log(`clang-tidy: ${files.length} files`)
} else {
  console.error('usage: node scripts/clang.mjs format [--write] | tidy')
  process.exit(2)
}
