#!/usr/bin/env node
/** `fr-bench`: argv -> suites -> exit status. The suites are plain programs in bench/. */
import { type BenchRequest, parseBenchArguments, type SuiteName } from './commands/bench.js'

interface BenchModule {
  readonly suites: readonly SuiteName[]
  runSuites(
    request: BenchRequest & { readonly command: string },
    stdout: (text: string) => void,
    stderr: (text: string) => void,
  ): Promise<number>
}

const stdout = (text: string) => void process.stdout.write(text)
const stderr = (text: string) => void process.stderr.write(text)

async function main(argv: readonly string[]): Promise<number> {
  const location = new URL('../../bench/run.mjs', import.meta.url)
  const bench = (await import(location.href)) as BenchModule
  const parsed = parseBenchArguments(argv, bench.suites)
  if (parsed.kind === 'text') {
    stdout(parsed.text)
    return 0
  }
  if (parsed.kind === 'usage') {
    stderr(parsed.text)
    return 2
  }
  const command = ['fr-bench', ...argv].join(' ')
  return await bench.runSuites({ ...parsed.request, command }, stdout, stderr)
}

process.exitCode = await main(process.argv.slice(2))
