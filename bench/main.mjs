#!/usr/bin/env node
/** `fr-bench`: argv -> suites -> exit status. */
import { parseBenchArguments } from './arguments.mjs'
import { runSuites, suites } from './run.mjs'

const stdout = (text) => void process.stdout.write(text)
const stderr = (text) => void process.stderr.write(text)

const argv = process.argv.slice(2)
const parsed = parseBenchArguments(argv, suites)
if (parsed.kind === 'run') {
  const command = ['fr-bench', ...argv].join(' ')
  process.exitCode = await runSuites({ ...parsed.request, command }, stdout, stderr)
} else if (parsed.kind === 'text') {
  stdout(parsed.text)
} else {
  stderr(parsed.text)
  process.exitCode = 2
}
