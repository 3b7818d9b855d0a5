/** `fr ls` on the command line: its options and what they ask for. */
import type { Command as Commander } from 'commander'
import { parseAddresses } from '../arguments/addresses.js'
import { checked, given, keyFileOption, type Values } from './options.js'

export interface LsCommand {
  readonly command: 'ls'
  readonly addresses: readonly string[]
  readonly glob?: string
  readonly keyFile?: string
  readonly json: boolean
}

export function addLs(program: Commander, found: (command: LsCommand) => void): void {
  program
    .command('ls')
    .description('List the files and trees that nodes hold.')
    .argument('<host[:port][,...]>', 'the nodes', checked(parseAddresses))
    .argument('[glob]', 'names to list, also in trees: * ? and ** for any directories')
    .option(...keyFileOption)
    .option('--json', 'one JSON object per file or tree on stdout')
    .addHelpText(
      'after',
      `
Held is how much of a file is there: less than 100% is what an unfinished
transfer left, and a file that somebody else changed or removed is not served.
A tree, what a push of a directory brought, is one line; TREE/ lists what is in
it. A tree is partial while its last push has not ended well. What is growing is
still written; its size is what is verified so far.

Examples:
  $ fr ls 10.0.0.2
  $ fr ls 10.0.0.2 site/
  $ fr ls 10.0.0.2,10.0.0.3 'models/**/*.bin' --json`,
    )
    .action((addresses: string[], glob: string | undefined, options) =>
      found(lsCommand(addresses, glob, options)),
    )
}

function lsCommand(addresses: string[], glob: string | undefined, options: Values): LsCommand {
  const optional = given({ glob, keyFile: options['keyFile'] })
  return { command: 'ls', addresses, ...optional, json: options['json'] === true }
}
