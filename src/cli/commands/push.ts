/** `fr push` on the command line: its options and what they ask for. */
import { type Command as Commander, Option } from 'commander'
import type { Shape, Strategy } from '../../api/types.js'
import { type DigestAlgorithm, digestAlgorithms } from '../../base/digests.js'
import { limits } from '../../base/limits.js'
import { parseAddress } from '../arguments/addresses.js'
import type { LogWish } from '../render/text.js'
import { parseCount, parseDuration, parseRate, UsageError } from '../render/units.js'
import {
  checked,
  choice,
  engineOption,
  given,
  keyFileOption,
  logOptions,
  refuse,
  type Values,
} from './options.js'
import { nodesOption, type Targets, targetsOf, toOption } from './targets.js'

export interface PushCommand extends Targets {
  readonly command: 'push'
  readonly path: string
  readonly as?: string
  readonly keyFile?: string
  readonly strategy?: Strategy
  readonly shape?: Shape | 'auto'
  readonly groupSize?: number
  readonly digest?: DigestAlgorithm
  readonly engine?: 'native' | 'portable'
  readonly noClobber: boolean
  readonly strict: boolean
  readonly verify: boolean
  readonly allowAdd: boolean
  readonly uplinkBytesPerSecond?: number
  readonly connectMs?: number
  readonly silenceMs?: number
  readonly retries?: number
  readonly timeoutMs?: number
  readonly minRateBytesPerSecond?: number
  /** Wait while another push writes the name. */
  readonly wait: boolean
  /** File for the timeline. */
  readonly trace?: string
  readonly dryRun: boolean
  readonly mirrors?: readonly string[]
  readonly spareOrigin: boolean
  readonly json: boolean
  /** Errors only. */
  readonly quiet: boolean
  /** Print progress while the push runs. */
  readonly progress: boolean
  readonly log: LogWish
}

const shapes = ['auto', 'unicast', 'group', 'chain', 'tree', 'binomial'] as const

const classicUnicast =
  '--strategy classic deals parts to a group of nodes, --shape unicast makes none'

/** Options of the contract that this version refuses with ERR_FR_UNSUPPORTED. */
const laterPushOptions: readonly (readonly [flags: string, name: string])[] = [
  ['--limit-up <rate>', 'limitUp'],
  ['--handover <kind>', 'handover'],
]

export function addPush(program: Commander, found: (command: PushCommand) => void): void {
  const command = program
    .command('push')
    .description('Put a file on nodes.')
    .argument('<path>', 'the file; - is standard input, and needs --as')
    .optionsGroup('What goes where:')
    .addOption(toOption())
    .option(...nodesOption)
    .option('--as <name>', 'name at the nodes (default: the name of the file)')
    .option('--no-clobber', 'refuse nodes that already have the name')
    .option('--strict', 'refuse nodes whose file system does not keep mode and modification time')
    .option('--verify', 'read the source even if it is unchanged since an earlier push')
    .option('--allow-add', 'let others who hold the key add nodes to this push (fr add)')
    .option(...keyFileOption)
    .optionsGroup('How it goes:')
    .addOption(
      choice('--strategy <strategy>', 'how the file is dealt out', ['adaptive', 'classic']),
    )
    .addOption(choice('--shape <shape>', 'who feeds whom', shapes, shapes.slice(0, 3)))
    .addOption(
      new Option('--group-size <k>')
        .argParser(checked((text) => parseCount(text, 1, limits.nodesPerPush)))
        .hideHelp(),
    )
    .addOption(
      choice(
        '--digest <algorithm>',
        'how blocks are verified, blake3 with a key and xxh64 without',
        digestAlgorithms,
      ),
    )
    .addOption(engineOption())
    .option(
      '--uplink <rate>',
      'uplink of this machine, for the predicted time, the bound and the first second',
      checked(parseRate),
    )
    .addOption(
      new Option(
        '--mirror <host[:port]>',
        'node that sends what this machine is too busy for, or cannot bring; may be repeated',
      ).argParser((text: string, before: readonly string[] = []) => [
        ...before,
        checked((one: string) => parseAddress(one))(text),
      ]),
    )
    .option('--spare-origin', 'have the mirror copy it to all nodes')
    .optionsGroup('How long to wait:')
    .option(
      '--connect-timeout <duration>',
      'how long to dial a node that cannot be reached (default: 10s)',
      checked((text) => Math.ceil(parseDuration(text, 0.001, 600) * 1000)),
    )
    .option(
      '--silence <duration>',
      'how long a silent node stays in the push; others do its work meanwhile (default: 15s)',
      checked((text) =>
        Math.ceil(
          parseDuration(text, limits.silenceMsMin / 1000, limits.silenceMsMax / 1000) * 1000,
        ),
      ),
    )
    .option(
      '--retries <n>',
      'more attempts for a node that failed for a reason that may pass (default: 2)',
      checked((text) => parseCount(text, 0, limits.retriesMax)),
    )
    .option(
      '--timeout <duration>',
      'fail nodes that are not complete after this time',
      checked((text) => Math.ceil(parseDuration(text, 0.001, limits.timeoutMsMax / 1000) * 1000)),
    )
    .option(
      '--min-rate <rate>',
      'fail a node that lands less over 10 s, although bytes are waiting for it',
      checked(parseRate),
    )
    .option('--wait', 'wait while another push is writing the name (default: refuse)')
    .optionsGroup('What is shown:')
    .option('--dry-run', 'print the plan, send nothing')
    .option('-q, --quiet', 'print errors only')
    .option('--no-progress', 'print no progress, only the plan and the outcome')
    .option('--json', 'one JSON object per line on stdout: plan, progress, node, result')
    .option('--trace <file>', 'write a timeline for a trace viewer (Chrome trace format)')
  for (const [flags] of laterPushOptions) command.addOption(new Option(flags).hideHelp())
  logOptions(command, 'warn').addHelpText(
    'after',
    `
Examples:
  $ fr push model.bin --to 10.0.0.2,10.0.0.3 --key-file fr.key
  $ fr push model.bin --nodes nodes.txt --as models/v2.bin --digest sha256
  $ tar c models | fr push - --as models.tar --nodes nodes.txt
  $ fr push model.bin --nodes nodes.txt --uplink 10Gbit --dry-run
  $ fr push model.bin --nodes nodes.txt --json | jq 'select(.event == "result")'`,
  )
  command.action((path: string, options) => found(pushCommand(path, options)))
}

function pushCommand(path: string, options: Values): PushCommand {
  const { as, keyFile, strategy, shape, groupSize, digest, engine } = options
  for (const [flags, name] of laterPushOptions) {
    if (options[name] !== undefined) refuse(`fr push ${flags.replace(/ .*/, '')}`)
  }
  const targets = targetsOf(options)
  if (path === '') throw new UsageError('PATH is empty')
  if (path === '-' && as === undefined) throw new UsageError('standard input needs --as NAME')
  if (path === '-' && keyFile === '-')
    throw new UsageError('standard input is either the file or the key')
  if (strategy === 'classic' && shape === 'unicast') throw new UsageError(classicUnicast)
  if (options['trace'] === '') throw new UsageError('--trace is empty')
  if (options['trace'] !== undefined && options['dryRun'] === true)
    throw new UsageError('--trace records a push, and --dry-run makes none')
  if (as === '') throw new UsageError('--as is empty')
  if (options['spareOrigin'] === true && options['mirror'] === undefined)
    throw new UsageError('--spare-origin needs --mirror HOST[:PORT]')
  const quiet = options['quiet'] === true
  return {
    command: 'push',
    path,
    ...targets,
    ...given({
      as,
      keyFile,
      strategy,
      shape,
      groupSize,
      digest,
      engine,
    }),
    ...given({
      uplinkBytesPerSecond: options['uplink'],
      connectMs: options['connectTimeout'],
      silenceMs: options['silence'],
      retries: options['retries'],
      timeoutMs: options['timeout'],
      minRateBytesPerSecond: options['minRate'],
      trace: options['trace'],
      mirrors: options['mirror'],
    }),
    noClobber: options['clobber'] === false,
    strict: options['strict'] === true,
    verify: options['verify'] === true,
    allowAdd: options['allowAdd'] === true,
    wait: options['wait'] === true,
    dryRun: options['dryRun'] === true,
    spareOrigin: options['spareOrigin'] === true,
    json: options['json'] === true,
    quiet,
    progress: options['progress'] !== false && !quiet,
    log: { format: options['logFormat'], level: quiet ? 'error' : options['logLevel'] },
  }
}
