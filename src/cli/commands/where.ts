/** `fr where` on the command line: its options and what they ask for. */
import type { Command as Commander } from 'commander'
import { given, keyFileOption, type Values } from './options.js'

export interface WhereCommand {
  readonly command: 'where'
  readonly criteria: string
  readonly via: string
  readonly keyFile?: string
  readonly json: boolean
}

export function addWhere(program: Commander, found: (command: WhereCommand) => void): void {
  program
    .command('where')
    .description('List the nodes of a directory that match criteria.')
    .argument('<criteria>', 'as for fr push --only')
    .requiredOption('--via <host[:port]>', 'any node of the directory')
    .option(...keyFileOption)
    .option('--json', 'one JSON object per node on stdout, and one at the end')
    .addHelpText(
      'after',
      `
Nodes form a directory by fr node --parent. Only parts of it are asked in which
some node may match. Exit status 3: somebody who may match gave no answer.

Examples:
  $ fr where 'region=eu && tier=edge' --via 10.0.0.2
  $ fr where 'ram>=64 && !legacy' --via 10.0.0.2 --json`,
    )
    .action((criteria: string, options: Values) => {
      const { via, keyFile, json } = options
      found({ command: 'where', criteria, via, ...given({ keyFile }), json: json === true })
    })
}
