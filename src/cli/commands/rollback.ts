/** `fr rollback` on the command line: its options and what they ask for. */
import type { Command as Commander } from 'commander'
import { limits } from '../../base/limits.js'
import { parseAddresses } from '../arguments/addresses.js'
import { parseDuration, UsageError } from '../render/units.js'
import { checked, choice, given, keyFileOption, type Values } from './options.js'
import { nodesOption } from './targets.js'

export interface RollbackCommand {
  readonly command: 'rollback'
  /** Either these or the file that names them. */
  readonly addresses?: readonly string[]
  readonly nodesFile?: string
  /** NAME or NAME@VERSION. */
  readonly name: string
  readonly keyFile?: string
  readonly json: boolean
  /** All of them or none. */
  readonly commit?: 'all' | 'quorum'
  readonly timeoutMs?: number
  /** What an operator decides about a version that is in doubt. */
  readonly force?: 'commit' | 'abort'
}

export function addRollback(program: Commander, found: (command: RollbackCommand) => void): void {
  program
    .command('rollback')
    .description('Give a name at nodes to an earlier version of the file or tree.')
    .argument('[host[:port][,...]]', 'the nodes, unless --nodes names them')
    .argument('[name]', 'NAME or NAME@VERSION (default: the one before, NAME@-1)')
    .option(...nodesOption)
    .option(...keyFileOption)
    .addOption(
      choice('--commit <who>', 'all nodes go back or none, once all or most of them are ready', [
        'all',
        'quorum',
      ]),
    )
    .option(
      '--timeout <duration>',
      'with --commit: how long to wait (default: 60s)',
      checked((text) => Math.ceil(parseDuration(text, 1, limits.timeoutMsMax / 1000) * 1000)),
    )
    .addOption(
      choice(
        '--force <verdict>',
        'decide what is in doubt there, when those that could decide are lost for good',
        ['commit', 'abort'],
      ),
    )
    .option('--json', 'one JSON object per node on stdout')
    .addHelpText(
      'after',
      `
One rename gives the name to the version; what had it is kept in its place, so
the same again takes it back. @-1 may be another content at each node: name the
first digits of a digest (fr versions) where all are to have the same.
A name that a transfer is writing is refused. Exit status 3: some nodes did it.
--force tells all nodes that one reaches; one that has decided otherwise before
stays with that, so nodes may differ after it.

Examples:
  $ fr rollback 10.0.0.2,10.0.0.3 model.bin
  $ fr rollback 10.0.0.2,10.0.0.3 model.bin@4f1c22
  $ fr rollback --nodes fleet.txt model.bin@4f1c22
  $ fr rollback 10.0.0.2,10.0.0.3 model.bin@4f1c22 --commit all`,
    )
    .action((first: string | undefined, second: string | undefined, options) =>
      found(rollbackCommand([first, second], options)),
    )
}

/** With a nodes file the only argument is the name. */
function rollbackCommand(
  [first, second]: readonly [string | undefined, string | undefined],
  options: Values,
): RollbackCommand {
  const { nodes: nodesFile, keyFile, commit, timeout: timeoutMs, force, json } = options
  const isNamed = nodesFile === undefined
  const [addresses, name] = isNamed ? [first, second] : [undefined, first]
  if (name === undefined || (!isNamed && second !== undefined))
    throw new UsageError('give HOST[:PORT][,...] NAME, or --nodes FILE NAME')
  if (commit !== undefined && force !== undefined)
    throw new UsageError('--commit and --force exclude each other')
  if (timeoutMs !== undefined && commit === undefined)
    throw new UsageError('--timeout is how long --commit waits')
  return {
    command: 'rollback',
    ...given({ addresses: addresses === undefined ? undefined : parseAddresses(addresses) }),
    ...given({ nodesFile, keyFile, commit, timeoutMs, force }),
    ...{ name, json: json === true },
  }
}
