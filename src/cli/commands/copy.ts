/** `fr copy` on the command line: its options and what they ask for. */
import type { Command as Commander } from 'commander'
import type { Shape, Strategy } from '../../api/types.js'
import { limits } from '../../base/limits.js'
import { parseAddress } from '../arguments/addresses.js'
import type { LogWish } from '../render/text.js'
import { parseCount, parseDuration, parseRate, UsageError } from '../render/units.js'
import { checked, choice, given, keyFileOption, type Values } from './options.js'
import { nodesOption, type Targets, targetsOf, toOption } from './targets.js'

export interface CopyCommand extends Targets {
  readonly command: 'copy'
  /** At the node that holds it. */
  readonly name: string
  readonly from: string
  readonly as?: string
  readonly keyFile?: string
  readonly strategy?: Strategy
  readonly shape?: Shape | 'auto'
  readonly noClobber: boolean
  readonly strict: boolean
  readonly allowAdd: boolean
  readonly uplinkBytesPerSecond?: number
  readonly retries?: number
  readonly timeoutMs?: number
  readonly detach: boolean
  readonly json: boolean
  readonly quiet: boolean
  readonly progress: boolean
  readonly log: LogWish
}

export function addCopy(program: Commander, found: (command: CopyCommand) => void): void {
  program
    .command('copy')
    .description('Have a node put a file that it holds on other nodes.')
    .argument('<name>', 'the file, as fr ls shows it')
    .optionsGroup('What goes where:')
    .option(
      '--from <host[:port]>',
      'a node that holds the file (required)',
      checked((text) => parseAddress(text)),
    )
    .addOption(toOption())
    .option(...nodesOption)
    .option('--as <name>', 'name at the nodes (default: the same)')
    .option('--no-clobber', 'refuse nodes that already have the name')
    .option('--strict', 'refuse nodes whose file system does not keep mode and modification time')
    .option('--allow-add', 'let others who hold the key add nodes to this copy (fr add)')
    .option(...keyFileOption)
    .optionsGroup('How it goes:')
    .addOption(
      choice('--strategy <strategy>', 'how the file is dealt out', ['adaptive', 'classic']),
    )
    .addOption(choice('--shape <shape>', 'who feeds whom', ['auto', 'unicast', 'group']))
    .option('--uplink <rate>', 'uplink of the node that copies', checked(parseRate))
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
    .optionsGroup('What is shown:')
    .option('--detach', 'print the id of the transfer and leave; see fr wait')
    .option('-q, --quiet', 'print errors only')
    .option('--no-progress', 'print no progress, only the plan and the outcome')
    .option('--json', 'one JSON object per line on stdout: plan, progress, node, result')
    .addHelpText(
      'after',
      `
The file arrives with the digests that its author signed, also when the author
is gone. Ctrl-C ends the copy, unless it was detached.

Examples:
  $ fr copy model.bin --from 10.0.0.2 --to 10.0.0.3,10.0.0.4
  $ id=$(fr copy model.bin --from 10.0.0.2 --nodes nodes.txt --detach)
  $ fr wait $id --via 10.0.0.2`,
    )
    .action((name: string, options) => found(copyCommand(name, options)))
}

function copyCommand(name: string, options: Values): CopyCommand {
  const { from, as, keyFile, strategy, shape, retries } = options
  const targets = targetsOf(options)
  if (!from) throw new UsageError('--from is required (see fr copy --help)')
  if (name === '') throw new UsageError('NAME is empty')
  if (as === '') throw new UsageError('--as is empty')
  const quiet = options['quiet'] === true
  return {
    command: 'copy',
    name,
    from,
    ...targets,
    ...given({ as, keyFile, strategy, shape, retries }),
    ...given({ uplinkBytesPerSecond: options['uplink'], timeoutMs: options['timeout'] }),
    noClobber: options['clobber'] === false,
    strict: options['strict'] === true,
    allowAdd: options['allowAdd'] === true,
    detach: options['detach'] === true,
    json: options['json'] === true,
    quiet,
    progress: options['progress'] !== false && !quiet,
    log: { format: 'text', level: quiet ? 'error' : 'warn' },
  }
}
