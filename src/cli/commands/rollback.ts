/** `fr rollback` on the command line: its options and what they ask for. */
import type { Command as Commander } from 'commander'
import { parseAddresses } from '../arguments/addresses.js'
import { checked, given, keyFileOption, type Values } from './options.js'

export interface RollbackCommand {
  readonly command: 'rollback'
  readonly addresses: readonly string[]
  /** NAME or NAME@VERSION. */
  readonly name: string
  readonly keyFile?: string
  readonly json: boolean
}

export function addRollback(program: Commander, found: (command: RollbackCommand) => void): void {
  program
    .command('rollback')
    .description('Give a name at nodes to an earlier version of the file or tree.')
    .argument('<host[:port][,...]>', 'the nodes', checked(parseAddresses))
    .argument('<name>', 'NAME or NAME@VERSION (default: the one before, NAME@-1)')
    .option(...keyFileOption)
    .option('--json', 'one JSON object per node on stdout')
    .addHelpText(
      'after',
      `
One rename gives the name to the version; what had it is kept in its place, so
the same again takes it back. @-1 may be another content at each node: name the
first digits of a digest (fr versions) where all are to have the same.
A name that a transfer is writing is refused. Exit status 3: some nodes did it.

Examples:
  $ fr rollback 10.0.0.2,10.0.0.3 model.bin
  $ fr rollback 10.0.0.2,10.0.0.3 model.bin@4f1c22`,
    )
    .action((addresses: string[], name: string, options) =>
      found(rollbackCommand(addresses, name, options)),
    )
}

function rollbackCommand(addresses: string[], name: string, options: Values): RollbackCommand {
  const keyFile = given({ keyFile: options['keyFile'] })
  return { command: 'rollback', addresses, name, ...keyFile, json: options['json'] === true }
}
