/** `fr wait` on the command line: its options and what they ask for. */
import type { Command as Commander } from 'commander'
import { parseAddress, parseTransfer } from '../arguments/addresses.js'
import type { LogWish } from '../render/text.js'
import { UsageError } from '../render/units.js'
import { checked, given, keyFileOption, type Values } from './options.js'

export interface WaitCommand {
  readonly command: 'wait'
  /** 32 hex digits. */
  readonly transfer: string
  readonly via: string
  readonly keyFile?: string
  readonly json: boolean
  readonly quiet: boolean
  readonly progress: boolean
  readonly log: LogWish
}

export function addWait(program: Commander, found: (command: WaitCommand) => void): void {
  program
    .command('wait')
    .description('Wait for a copy that was detached, and print its result.')
    .argument('<transfer>', 'its id, as fr copy --detach printed it', checked(parseTransfer))
    .option(
      '--via <host[:port]>',
      'the node that copies (required)',
      checked((text) => parseAddress(text)),
    )
    .option(...keyFileOption)
    .option('-q, --quiet', 'print errors only')
    .option('--no-progress', 'print no progress, only the plan and the outcome')
    .option('--json', 'one JSON object per line on stdout: plan, progress, node, result')
    .addHelpText(
      'after',
      `
A node keeps its last results for an hour. Ctrl-C ends the waiting, not the
copy. The exit status is that of the copy.

Examples:
  $ fr wait 0123456789abcdef0123456789abcdef --via 10.0.0.2`,
    )
    .action((transfer: string, options) => found(waitCommand(transfer, options)))
}

function waitCommand(transfer: string, options: Values): WaitCommand {
  const { via, keyFile } = options
  if (!via) throw new UsageError('--via is required (see fr wait --help)')
  const quiet = options['quiet'] === true
  return {
    command: 'wait',
    transfer,
    via,
    ...given({ keyFile }),
    json: options['json'] === true,
    quiet,
    progress: options['progress'] !== false && !quiet,
    log: { format: 'text', level: quiet ? 'error' : 'warn' },
  }
}
