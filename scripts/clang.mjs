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
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { runBeside } from './steps.mjs'

/** clang-tidy looks through all that is included, so it gets the files of a folder as one. */
function wholeOf(files) {
  const path = resolve('build-tidy', `${dirname(files[0]).replaceAll('/', '-')}.cc`)
  const texts = files.map((file) => readFileSync(file, 'utf8').replace(/\n*$/, '\n'))
  writeFileSync(path, texts.join(''))
  const lines = texts.flatMap((text, index) =>
    Array.from({ length: text.split('\n').length - 1 }, (_, line) => `${files[index]}:${line + 1}`),
  )
  const inFiles = (output) =>
    output.replaceAll(new RegExp(`${path}:(\\d+)`, 'g'), (_, line) => lines[line - 1])
  return { path, inFiles }
}

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
  run('cmake', ['-S', '.', '-B', 'build-tidy', '-Wno-dev'])
  const files = sources('native/core', ['.cc'])
  const folders = [...new Set(files.map((file) => dirname(file)))]
  const whole = folders.map((folder) => wholeOf(files.filter((file) => dirname(file) === folder)))
  const analyzer = ['-analyzer-config', 'max-nodes=50000'].flatMap((argument) => [
    '--extra-arg=-Xclang',
    `--extra-arg=${argument}`,
  ])
  const inTurn = async () => {
    for (let next = whole.pop(); next !== undefined; next = whole.pop()) {
      const args = ['--quiet', ...analyzer, '-p', 'build-tidy', next.path]
      const { isOk, output } = await runBeside('clang-tidy-14', args)
      if (isOk) continue
      console.log(next.inFiles(output))
      process.exitCode = 1
    }
  }
  // One process per core, because the tool uses one thread.
  await Promise.all([inTurn(), inTurn()])
  console.log(`clang-tidy: ${files.length} files`)
} else {
  console.error('usage: node scripts/clang.mjs format [--write] | tidy')
  process.exit(2)
}
