/** `fr attr` on the command line: its options and what they ask for. */
import type { Command as Commander } from 'commander'
import { parseAddress } from '../arguments/addresses.js'
import { UsageError } from '../render/units.js'
import { attribute } from './node.js'
import { checked, given, keyFileOption, type Values } from './options.js'

export interface AttrCommand {
  readonly command: 'attr'
  readonly via: string
  readonly set: Readonly<Record<string, string>>
  readonly unset: readonly string[]
  readonly keyFile?: string
  readonly json: boolean
}

export function addAttr(program: Commander, found: (command: AttrCommand) => void): void {
  program
    .command('attr')
    .description('Change attributes of a node that runs.')
    .argument('[key=value...]', 'attributes that it has from now on: region=eu, gpu', attribute)
    .requiredOption(
      '--via <host[:port]>',
      'the node',
      checked((text) => parseAddress(text)),
    )
    .option('--unset <key...>', 'attributes that it has no more')
    .option(...keyFileOption)
    .option('--json', 'one JSON object on stdout')
    .addHelpText(
      'after',
      `
What is not named stays as it is. The change holds until the node ends; what it
starts with are the --attr of fr node. The node pulls what is published for it
now, and drops what is for it no more.

Examples:
  $ fr attr tier=edge gpu --via 10.0.0.2
  $ fr attr --unset tier --via 10.0.0.2`,
    )
    .action((words: AttrCommand['set'] | readonly [], options: Values) => {
      // Where there are none, the parser hands over an empty list.
      const set = Array.isArray(words) ? {} : (words as AttrCommand['set'])
      const { via, unset = [], keyFile, json } = options
      if (Object.keys(set).length === 0 && unset.length === 0)
        throw new UsageError('KEY=VALUE or --unset is required (see fr attr --help)')
      found({ command: 'attr', via, set, unset, ...given({ keyFile }), json: json === true })
    })
}
