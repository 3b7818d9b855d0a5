/** `fr get` on the command line: its options and what they ask for. */
import { type Command as Commander, Option } from 'commander'
import { limits } from '../../base/limits.js'
import { parseAddresses } from '../arguments/addresses.js'
import type { LogWish } from '../render/text.js'
import { parseDuration, UsageError } from '../render/units.js'
import { attribute } from './node.js'
import {
  checked,
  engineOption,
  flowsOption,
  given,
  keyFileOption,
  logOptions,
  sealOption,
  type Values,
} from './options.js'

export interface GetCommand {
  readonly command: 'get'
  /** Empty where it is a set. */
  readonly name: string
  /** Path of a file set, one JSON object a line; `-` is standard input. */
  readonly set?: string
  readonly from: readonly string[]
  /** `-`: standard output. */
  readonly output?: string
  readonly range?: { readonly first: number; readonly last: number }
  readonly force: boolean
  /** Also what is still written. */
  readonly follow: boolean
  readonly keyFile?: string
  readonly attributes?: Readonly<Record<string, string>>
  readonly engine?: 'native' | 'portable'
  readonly timeoutMs?: number
  readonly flows?: number | 'auto'
  readonly seal?: boolean
  readonly json: boolean
  /** Print progress while it runs. */
  readonly progress: boolean
  readonly log: LogWish
}

export function addGet(program: Commander, found: (command: GetCommand) => void): void {
  const command = program
    .command('get')
    .description('Fetch a file or a tree from nodes that hold it.')
    .argument('[name]', 'of a file, NAME@VERSION, a tree, what is in one; or a pattern')
    .addOption(
      new Option(
        '--from <list>',
        'HOST[:PORT][,HOST[:PORT]...]; may be given more than once (required)',
      ).argParser((text: string, before: string | undefined) =>
        before === undefined ? text : `${before},${text}`,
      ),
    )
    .option(
      '-o, --output <path>',
      'where to store it (default: its name, here), DIR/ or of a pattern DIR; - is stdout',
    )
    .option('--range <first-last>', 'only these bytes, the last one included', checked(parseRange))
    .option('--force', 'replace the output if it is there')
    .option('--follow', 'also a file that is still written: read it as it comes, to its end')
    .option('--set <file>', 'instead of a name: all that fr ls --json said, into the directory -o')
    .option(
      '--timeout <duration>',
      'give up after this time',
      checked((text) => Math.ceil(parseDuration(text, 0.001, limits.timeoutMsMax / 1000) * 1000)),
    )
    .addOption(flowsOption())
    .addOption(sealOption())
    .option(...keyFileOption)
    .option(
      '--attr <key=value>',
      'what is true of this client, for what only some may have (fr push --only)',
      attribute,
    )
    .addOption(engineOption())
    .option('--no-progress', 'print no progress, only the outcome')
    .option('--json', 'one JSON object per line on stdout: progress, result')
  logOptions(command, 'warn').addHelpText(
    'after',
    `
Blocks come from all nodes at the same time, and each is verified; small files
of a tree come from one node. A get that was stopped goes on where it was when
it is run again. A tree is put where nothing is yet. What matches a pattern is
stored in a directory (default: here) under its whole name.

Examples:
  $ fr get model.bin --from 10.0.0.2,10.0.0.3 --key-file fr.key
  $ fr get models/v2.tar --from 10.0.0.2 -o - | tar x
  $ fr get model.bin --from 10.0.0.2 --range 0-1023 -o head.bin
  $ fr get app.log --from 10.0.0.2,10.0.0.3 --follow -o - | grep ERROR
  $ fr get site --from 10.0.0.2,10.0.0.3 -o copy
  $ fr get 'site/**/*.html' --from 10.0.0.2 -o pages
  $ fr ls 10.0.0.2 'models/**' --json > set.json
  $ fr get --set set.json --from 10.0.0.2,10.0.0.3 -o .`,
  )
  command.action((name: string | undefined, options) => found(getCommand(name, options)))
}

/** `A-B`, bytes as in HTTP. Throws UsageError. */
export function parseRange(text: string): { first: number; last: number } {
  const [, first, last] = /^(\d{1,16})-(\d{1,16})$/.exec(text) ?? []
  const range = { first: Number(first), last: Number(last) }
  const isRange =
    Number.isSafeInteger(range.first) &&
    Number.isSafeInteger(range.last) &&
    range.first <= range.last
  if (!isRange) throw new UsageError(`'${text}' is not FIRST-LAST, two numbers of bytes`)
  return range
}

function getCommand(named: string | undefined, options: Values): GetCommand {
  const { set } = options
  if ((named === undefined) === (set === undefined))
    throw new UsageError('either NAME or --set FILE (see fr get --help)')
  for (const option of ['range', 'timeout', 'flows', 'force', 'follow', 'attr'])
    if (set !== undefined && options[option] !== undefined)
      throw new UsageError(`--${option} is of one file, not of a --set`)
  if (options['follow'] !== undefined && options['range'] !== undefined)
    throw new UsageError('--range is of a file that is there, not with --follow')
  const name = named ?? ''
  const { attr: attributes } = options
  const { from, output, range, keyFile, engine, timeout: timeoutMs, flows, seal } = options
  if (named === '') throw new UsageError('NAME is empty')
  if (output === '') throw new UsageError('--output is empty')
  if (output === '-' && set !== undefined) throw new UsageError('--set needs a directory for -o')
  if (output === '-' && options['json'] === true)
    throw new UsageError('standard output is either the file or the JSON')
  if (from === undefined)
    throw new UsageError('--from HOST[:PORT][,...] is required (see fr get --help)')
  return {
    command: 'get',
    name,
    from: addressesOf(from),
    ...given({ set, output, range, keyFile, attributes, engine, timeoutMs, flows, seal }),
    force: options['force'] === true,
    follow: options['follow'] === true,
    json: options['json'] === true,
    progress: options['progress'] !== false,
    log: { format: options['logFormat'], level: options['logLevel'] },
  }
}

function addressesOf(text: string): string[] {
  try {
    return parseAddresses(text)
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(`--from: ${error.message}`)
    throw error
  }
}
