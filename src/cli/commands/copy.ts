/** `fr copy` on the command line: its options and what they ask for. */
import type { Command as Commander } from 'commander'
import { parseAddress } from '../arguments/addresses.js'
import type { LogWish } from '../render/text.js'
import { UsageError } from '../render/units.js'
import { checked, type Values } from './options.js'
import {
  dealOptions,
  relayOption,
  shareOptions,
  shownOptions,
  siteOptions,
  type TransferWishes,
  transferWishes,
  waitOptions,
  whereOptions,
} from './transfer-options.js'

export interface CopyCommand extends TransferWishes {
  readonly command: 'copy'
  /** At the node that holds it. */
  readonly name: string
  readonly from: string
  readonly detach: boolean
  readonly log: LogWish
}

export function addCopy(program: Commander, found: (command: CopyCommand) => void): void {
  const command = program
    .command('copy')
    .description('Have a node put a file or a tree that it holds on other nodes.')
    .argument('<name>', 'the file or tree, as fr ls shows it')
    .optionsGroup('What goes where:')
    .option(
      '--from <host[:port]>',
      'a node that holds the file (required)',
      checked((text) => parseAddress(text)),
    )
  whereOptions(command, 'copy', 'the same').optionsGroup('How it goes:')
  dealOptions(command)
  siteOptions(command, 'the node that copies')
  shareOptions(command, 'copy', 'the node that copies').addOption(relayOption())
  waitOptions(command)
    .optionsGroup('What is shown:')
    .option('--detach', 'print the id of the transfer and leave; see fr wait')
  shownOptions(command)
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
  const { from } = options
  const wishes = transferWishes(options)
  if (!from) throw new UsageError('--from is required (see fr copy --help)')
  if (name === '') throw new UsageError('NAME is empty')
  return {
    command: 'copy',
    name,
    from,
    ...wishes,
    detach: options['detach'] === true,
    log: { format: 'text', level: wishes.quiet ? 'error' : 'warn' },
  }
}
