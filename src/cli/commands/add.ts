/** `fr add` on the command line: its options and what they ask for. */
import type { Command as Commander } from 'commander'
import type { PushTarget } from '../../api/types.js'
import { parseAddress, parseTarget, parseTransfer } from '../arguments/addresses.js'
import { UsageError } from '../render/units.js'
import { checked, given, keyFileOption, type Values } from './options.js'

export interface AddCommand {
  readonly command: 'add'
  /** 32 hex digits. */
  readonly transfer: string
  readonly node: PushTarget
  readonly via: string
  readonly keyFile?: string
  readonly json: boolean
}

export function addAdd(program: Commander, found: (command: AddCommand) => void): void {
  program
    .command('add')
    .description('Add a node to a push that is running.')
    .argument('<transfer>', 'its id, as fr status shows it', checked(parseTransfer))
    .argument('<host[:port]...>', 'the node to add, then site= via= ... as in a nodes file')
    .option(
      '--via <host[:port]>',
      'a node that takes part in the transfer (required)',
      checked((text) => parseAddress(text)),
    )
    .option(...keyFileOption)
    .option('--json', 'one JSON object on stdout')
    .addHelpText(
      'after',
      `
Returns when the node takes part, or could not join. Its outcome is in the
result of the push.

Examples:
  $ fr status 10.0.0.2 --json | jq -r '.transfers[].transfer'
  $ fr add 0123456789abcdef0123456789abcdef 10.0.0.9 --via 10.0.0.2`,
    )
    .action((transfer: string, words: string[], options) =>
      found(addCommand(transfer, words, options)),
    )
}

function addCommand(transfer: string, words: readonly string[], options: Values): AddCommand {
  const via = options['via']
  if (!via) throw new UsageError('--via is required (see fr add --help)')
  const keyFile = given({ keyFile: options['keyFile'] })
  const node = parseTarget(words)
  return { command: 'add', transfer, node, via, ...keyFile, json: options['json'] === true }
}
