/**
 * Runs the native tests, and the engine tests under Node, with AddressSanitizer (with leaks and
 * undefined behaviour) and with ThreadSanitizer. Each sanitizer must first find a planted fault, in
 * a plain program and inside Node, because silence alone proves nothing.
 *
 * Under Node only leaks of the addon count: Node and V8 leave memory behind when a process is
 * stopped early. Tests of the portable engine run no native code, and what is tested at each step
 * of what Node does runs the same native code again and again: they are skipped.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { resolve } from 'node:path'
import { builds } from './checks.mjs'
import { conclude, report, run, runBeside, tail } from './steps.mjs'

const sanitizers = [
  {
    name: 'asan',
    library: 'libasan.so',
    faults: { uaf: /heap-use-after-free/, leak: /LeakSanitizer[\s\S]*12345 byte/ },
  },
  {
    name: 'tsan',
    library: 'libtsan.so',
    faults: { race: /ThreadSanitizer: data race/ },
  },
]

const node = process.execPath

const built = sanitizers.filter(({ name }) => builds[name]())
// The native tests of one run while Node waits in those of the other.
await Promise.all(built.map(check))
conclude()

async function check(sanitizer) {
  await checkProgram(sanitizer)
  await checkAddon(sanitizer)
}

async function checkProgram({ name, faults }) {
  const dir = `build-${name}`
  for (const [fault, expected] of Object.entries(faults)) {
    const program = [`${dir}/fr_planted`, fault]
    await wantsReport(`${name}: planted ${fault} in a program`, expected, program)
  }
  const startedMs = performance.now()
  const { isOk, output, how } = await runBeside(`${dir}/fr_unit`, [], { env: options('') })
  console.log(tail(output, isOk ? 4 : 80))
  report(`${name}: native tests`, isOk ? null : how, startedMs)
}

async function checkAddon({ name, library, faults }) {
  const dir = `build-${name}`
  const addon = resolve(dir, 'Release/fastreplica.node')
  const planted = resolve(dir, 'Release/planted.node')
  if (!existsSync(addon)) {
    report(`${name}: engine tests`, `${addon} was not built`)
    return
  }
  const preload = run('g++', [`-print-file-name=${library}`]).output.trim()

  for (const [fault, expected] of Object.entries(faults)) {
    const script = `require(${JSON.stringify(planted)}).plant('${fault}')`
    const env = { LD_PRELOAD: preload }
    await wantsReport(`${name}: planted ${fault} in Node`, expected, [node, '-e', script], env)
  }

  const reports = resolve(dir, 'reports')
  rmSync(reports, { recursive: true, force: true })
  mkdirSync(reports)
  const startedMs = performance.now()
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--project', 'engine']
  const skipped = ['portable-*', 'killed-*'].flatMap((name) => [
    '--exclude',
    `test/engine/${name}.test.ts`,
  ])
  const env = {
    ...options(`log_path=${reports}/report exitcode=0`),
    LD_PRELOAD: preload,
    FR_NATIVE: addon,
    FR_PLANTED: planted,
    FR_SLOW: '5',
    FR_TEST_ENGINE: 'native',
  }
  const { isOk, output, how } = await runBeside(node, [...vitest, ...skipped], { env })
  console.log(tail(output, isOk ? 6 : 80))
  const found = readdirSync(reports).flatMap((file) => ours(readFileSync(`${reports}/${file}`)))
  if (found.length > 0) console.log(tail(found.slice(0, 5).join('\n\n'), 200))
  const problem = found.length > 0 ? `${found.length} reports, see ${reports}` : isOk ? null : how
  report(`${name}: engine tests`, problem, startedMs)
}

/** Parts of a report about the addon: leaks separately, anything else as a whole. */
function ours(bytes) {
  const text = bytes.toString()
  if (!text.includes('detected memory leaks')) return [text]
  return text.split(/\n\n(?=(?:Direct|Indirect) leak)/).filter(isOurLeak)
}

/** Allocated by our code, or by Node-API for it, not by V8 below a call to it. */
function isOurLeak(part) {
  const frames = part.split('\n').filter((line) => /^\s*#\d+ /.test(line))
  const first = frames.findIndex((frame) => /\/native\/|fastreplica\.node/.test(frame))
  return first >= 0 && !frames.slice(0, first).some((frame) => /v8::internal|Builtins_/.test(frame))
}

async function wantsReport(name, expected, [command, ...args], env = {}) {
  const startedMs = performance.now()
  const { isOk, output } = await runBeside(command, args, { env: { ...options(''), ...env } })
  const caught = !isOk && expected.test(output)
  report(name, caught ? null : `not reported\n${tail(output)}`, startedMs)
}

/** Node is not instrumented; without the last option its own threads look like races. */
function options(more) {
  return {
    ASAN_OPTIONS: `detect_leaks=1 ${more}`,
    UBSAN_OPTIONS: 'print_stacktrace=1',
    TSAN_OPTIONS: `${more || 'exitcode=66'} ignore_noninstrumented_modules=1`,
  }
}
