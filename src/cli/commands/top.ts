/** `fr top` on the command line: its options and what they ask for. */
import type { Command as Commander } from 'commander'
import { checked, keyFileOption, type Values } from './options.js'
import { type Several, severalOf, severalUsage } from './several.js'
import { parseEvery } from './status.js'
import { nodesOption } from './targets.js'

export interface TopCommand extends Several {
  readonly command: 'top'
  readonly everyMs: number
}

export function addTop(program: Commander, found: (command: TopCommand) => void): void {
  program
    .command('top')
    .description('Watch nodes, transfers and links on the whole terminal.')
    .argument(...severalUsage)
    .option(...nodesOption)
    .option(
      '--every <time>',
      'how often each node is asked (100ms to 1h)',
      checked(parseEvery),
      1_000,
    )
    .option(...keyFileOption)
    .addHelpText(
      'after',
      `
Of a master its nodes and its links are shown. Keys are told by ?; q ends it.

Examples:
  $ fr top 10.0.0.2,10.0.0.3 --key-file fr.key
  $ fr top --nodes fleet.txt --every 5s`,
    )
    .action((list: string | undefined, options: Values) =>
      found({ command: 'top', ...severalOf(list, options), everyMs: options['every'] }),
    )
}
