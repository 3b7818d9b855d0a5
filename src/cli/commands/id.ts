/** `fr id` on the command line: its options and what they ask for. */
import type { Command as Commander } from 'commander'
import { given } from './options.js'

export interface IdCommand {
  readonly command: 'id'
  readonly dataDir?: string
  readonly json: boolean
}

export function addId(program: Commander, found: (command: IdCommand) => void): void {
  program
    .command('id')
    .description('Print the fingerprint of your key, by which others authorize you.')
    .option('--data <dir>', 'of the node that serves this directory instead')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  $ fr id
  $ echo "$(fr id) alice" >> /etc/fr/peers            for fr node --authorize
  $ echo "$(fr id --data /srv/data) edge-1" >> /etc/fr/peers`,
    )
    .action(({ data, json }) =>
      found({ command: 'id', ...given({ dataDir: data }), json: json === true }),
    )
}
