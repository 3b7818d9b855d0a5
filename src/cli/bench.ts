#!/usr/bin/env node
/**
 * `fr-bench`: argv -> suites -> exit status. The suites are in bench/, which belongs to the
 * repository and not to the published package: they are loaded by path, and their absence is said
 * in one line.
 */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import {
  type BenchRequest,
  BenchUsageError,
  parseBenchArguments,
  usageText,
} from './bench-arguments.js'

interface BenchModule {
  readonly suites: readonly { readonly name: string; readonly about: string }[]
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
  if (!existsSync(fileURLToPath(location))) {
    stderr(
      'fr-bench: the benches are not in this package; they are in the repository, under bench/\n',
    )
    return 2
  }
  const bench = (await import(location.href)) as BenchModule
  try {
    const parsed = parseBenchArguments(
      argv,
      bench.suites.map((suite) => suite.name),
    )
    if (parsed === 'help') {
      stdout(usageText(bench.suites))
      return 0
    }
    const command = ['fr-bench', ...argv].join(' ')
    return await bench.runSuites({ ...parsed, command }, stdout, stderr)
  } catch (error) {
    if (!(error instanceof BenchUsageError)) throw error
    stderr(`fr-bench: ${error.message}\n(fr-bench --help shows what there is)\n`)
    return 2
  }
}

process.exitCode = await main(process.argv.slice(2))
