/** `fr versions` on the command line: its options and what they ask for. */
import type { Command as Commander } from 'commander'
import { parseAddresses } from '../arguments/addresses.js'
import { checked, given, keyFileOption, type Values } from './options.js'

export interface VersionsCommand {
  readonly command: 'versions'
  readonly addresses: readonly string[]
  readonly glob?: string
  readonly keyFile?: string
  readonly json: boolean
}

export function addVersions(program: Commander, found: (command: VersionsCommand) => void): void {
  program
    .command('versions')
    .description('List the versions of files and trees that nodes keep.')
    .argument('<host[:port][,...]>', 'the nodes', checked(parseAddresses))
    .argument('[name]', 'a name, or a pattern (default: all with earlier versions)')
    .option(...keyFileOption)
    .option('--json', 'one JSON object per version on stdout')
    .addHelpText(
      'after',
      `
Earlier versions are kept with fr node --keep N, or fr push --keep N. One is
called NAME@-1, NAME@-2, .. or NAME@DIGITS, by the first digits of its digest
(6 or more), also in fr rm, and of files in fr get, fr copy and fr verify. On
disk is what its removal would give back. Trees that were pushed --atomic have
versions, too.

Examples:
  $ fr versions 10.0.0.2
  $ fr versions 10.0.0.2,10.0.0.3 model.bin --json`,
    )
    .action((addresses: string[], glob: string | undefined, options) =>
      found(versionsCommand(addresses, glob, options)),
    )
}

function versionsCommand(
  addresses: string[],
  glob: string | undefined,
  options: Values,
): VersionsCommand {
  const optional = given({ glob, keyFile: options['keyFile'] })
  return { command: 'versions', addresses, ...optional, json: options['json'] === true }
}
