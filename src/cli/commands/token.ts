/** `fr token` on the command line: its options and what they ask for. */
import type { Command as Commander } from 'commander'
import { UsageError } from '../render/units.js'
import { given, keyFileOption } from './options.js'

export interface TokenCommand {
  readonly command: 'token'
  readonly keyFile?: string
  readonly isNew: boolean
  readonly json: boolean
}

export function addToken(program: Commander, found: (command: TokenCommand) => void): void {
  program
    .command('token')
    .description('Print the bearer token of a key, for HTTP doors of nodes that have it.')
    .option(...keyFileOption)
    .option('--new', 'make a token instead, and print its line for --http-tokens on stderr')
    .option('--json', 'print one JSON object, with the SHA-256 of the token')
    .addHelpText(
      'after',
      `
Examples:
  $ curl -H "Authorization: Bearer $(fr token --key-file fr.key)" http://127.0.0.1:8080/api/v1/node
  $ fr token --new > alice.token 2>> /etc/fr/tokens`,
    )
    .action(({ keyFile, new: isNew = false, json = false }) => {
      if (isNew && keyFile !== undefined)
        throw new UsageError('--new makes a token of its own: it takes no --key-file')
      found({ command: 'token', ...given({ keyFile }), isNew, json })
    })
}
