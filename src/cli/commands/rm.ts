/** `fr rm` on the command line: its options and what they ask for. */
import type { Command as Commander } from 'commander'
import { parseAddresses } from '../arguments/addresses.js'
import { checked, given, keyFileOption, type Values } from './options.js'

export interface RmCommand {
  readonly command: 'rm'
  readonly addresses: readonly string[]
  readonly name: string
  readonly keyFile?: string
  readonly json: boolean
}

export function addRm(program: Commander, found: (command: RmCommand) => void): void {
  program
    .command('rm')
    .description('Remove files and trees from nodes.')
    .argument('<host[:port][,...]>', 'the nodes', checked(parseAddresses))
    .argument('<name>', 'of a file, a tree, what is in one; or a pattern')
    .option(...keyFileOption)
    .option('--json', 'one JSON object per node on stdout')
    .addHelpText(
      'after',
      `
A name that a transfer is writing is refused, and so is one that is not held.
What was pushed goes, a tree or a directory in it with all that was pushed into
it. Files that others put there stay, and so do the directories they are in.
A pattern counts where nothing has that very name.

Examples:
  $ fr rm 10.0.0.2,10.0.0.3 models/old.bin
  $ fr rm 10.0.0.2 site
  $ fr rm 10.0.0.2 'site/**/*.map'`,
    )
    .action((addresses: string[], name: string, options) =>
      found(rmCommand(addresses, name, options)),
    )
}

function rmCommand(addresses: string[], name: string, options: Values): RmCommand {
  const keyFile = given({ keyFile: options['keyFile'] })
  return { command: 'rm', addresses, name, ...keyFile, json: options['json'] === true }
}
