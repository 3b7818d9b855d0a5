/**
 * Shared by the scripts: running a program as a named step that passes or fails, and the closing
 * line `N passed, M failed` that .ci/run reads.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

let passed = 0
let failed = 0

/** Prints and counts one step; `problem` is null when it passed. */
export function report(name, problem, startedMs = performance.now()) {
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
  if (problem === null) {
    passed += 1
    console.log(`ok   ${name} (${seconds} s)`)
  } else {
    failed += 1
    console.log(`FAIL ${name} (${seconds} s): ${problem}`)
  }
  return problem === null
}

/** Runs a program to its end. Returns its output, and prints it when `show` is set. */
export function run(command, args, { env = {}, cwd, show = false, timeoutMs = 900_000 } = {}) {
  const result = spawnSync(command, args, {
    cwd,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: timeoutMs,
  })
  const output = `${result.stdout ?? ''}${result.stderr ?? ''}`
  if (show) process.stdout.write(output)
  const how = result.error?.message ?? result.signal ?? `exit ${result.status}`
  return { isOk: result.status === 0, output, how }
}

/** Like `run`, but asynchronous, for programs that run side by side. */
export function runBeside(command, args, { env = {}, timeoutMs = 900_000 } = {}) {
  return new Promise((resolve) => {
    let output = ''
    const stdio = ['ignore', 'pipe', 'pipe']
    const options = { env: { ...process.env, ...env }, stdio, timeout: timeoutMs }
    const child = spawn(command, args, options)
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text
      })
    }
    const end = (isOk, how) => resolve({ isOk, output, how })
    child.once('error', (error) => end(false, error.message))
    child.once('close', (status, signal) => end(status === 0, signal ?? `exit ${status}`))
  })
}

/** A step of one program; a failure shows the last lines of its output. */
export function step(name, command, args, options = {}) {
  const startedMs = performance.now()
  const { isOk, output, how } = run(command, args, options)
  return report(name, isOk ? null : `${how}\n${tail(output)}`, startedMs)
}

export function tail(text, lines = 60) {
  return text.trimEnd().split('\n').slice(-lines).join('\n')
}

/** Prints the closing line and sets the exit status. */
export function conclude() {
  console.log(`${passed} passed, ${failed} failed`)
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0
}

/**
 * Directory of the headers of the running Node, or null. Build tools that know it download nothing.
 */
export function nodeHeaders() {
  const prefix = join(dirname(process.execPath), '..')
  const header = join(prefix, 'include', 'node', 'node_version.h')
  if (!existsSync(header)) return null
  const text = readFileSync(header, 'utf8')
  const part = (name) => text.match(new RegExp(`define NODE_${name}_VERSION (\\d+)`))?.[1]
  const version = `v${part('MAJOR')}.${part('MINOR')}.${part('PATCH')}`
  return version === process.version ? prefix : null
}

/** That directory as environment for node-gyp, prebuildify and cmake-js. */
export function buildEnv() {
  const prefix = nodeHeaders()
  return prefix === null ? {} : { npm_config_nodedir: prefix }
}
