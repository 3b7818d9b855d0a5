/** `fr disks` on the command line: its options and what they ask for. */
import type { Command as Commander } from 'commander'
import { parseAddresses } from '../arguments/addresses.js'
import { checked, given, keyFileOption, type Values } from './options.js'

export interface DisksCommand {
  readonly command: 'disks'
  readonly addresses: readonly string[]
  readonly keyFile?: string
  readonly json: boolean
}

export function addDisks(program: Commander, found: (command: DisksCommand) => void): void {
  program
    .command('disks')
    .description('Show the data directories of nodes: room, load and what is wrong.')
    .argument('<host[:port][,...]>', 'the nodes', checked(parseAddresses))
    .option(...keyFileOption)
    .option('--json', 'one JSON object per directory on stdout')
    .addHelpText(
      'after',
      `
Landing is what transfers will still write there. Busy, requests and writes are
of the device in the last second, whoever uses it; - where the system does not
count them. A disk that is failing is given no new files for a minute.

Examples:
  $ fr disks 10.0.0.2
  $ fr disks 10.0.0.2,10.0.0.3 --json`,
    )
    .action((addresses: string[], options) => found(disksCommand(addresses, options)))
}

function disksCommand(addresses: string[], options: Values): DisksCommand {
  const keyFile = given({ keyFile: options['keyFile'] })
  return { command: 'disks', addresses, ...keyFile, json: options['json'] === true }
}
