/** `fr verify` on the command line: its options and what they ask for. */
import type { Command as Commander } from 'commander'
import { parseAddress, parseAddresses } from '../arguments/addresses.js'
import { UsageError } from '../render/units.js'
import { checked, given, keyFileOption, type Values } from './options.js'

export interface VerifyCommand {
  readonly command: 'verify'
  readonly addresses: readonly string[]
  /** A master, in place of nodes. */
  readonly via?: string
  readonly name?: string
  readonly keyFile?: string
  readonly json: boolean
}

export function addVerify(program: Commander, found: (command: VerifyCommand) => void): void {
  program
    .command('verify')
    .description('Have nodes read files and compare them with their digests.')
    .argument('[host[:port][,...]]', 'the nodes', checked(parseAddresses))
    .argument('[name]', 'a file, a tree, what is in one, a pattern (default: all)')
    .option(
      '--via <host[:port]>',
      'a master, in place of nodes',
      checked((text) => parseAddress(text)),
    )
    .option(...keyFileOption)
    .option('--json', 'JSON on stdout: progress, and one object per file')
    .addHelpText(
      'after',
      `
Ctrl-C ends it; files that were reported stay reported. A file that is wrong is
not served any more. A tree is one report, which names the first 64 entries that
are wrong; fr ls shows them all as changed. The next push of it mends them.

With --via a master compares what its nodes say that they hold with its sets; no
file is read, and what differs is listed.

Exit status: 0 every file is good; 3 some are; 1 none is.

Examples:
  $ fr verify 10.0.0.2
  $ fr verify 10.0.0.2 site
  $ fr verify 10.0.0.2,10.0.0.3 model.bin --json
  $ fr verify --via 10.0.0.1`,
    )
    .action((addresses: string[] | undefined, name: string | undefined, options) =>
      found(verifyCommand(addresses, name, options)),
    )
}

function verifyCommand(
  addresses: string[] | undefined,
  name: string | undefined,
  options: Values,
): VerifyCommand {
  const { via, keyFile } = options
  if ((addresses === undefined) !== (via !== undefined))
    throw new UsageError('name either nodes or --via MASTER (see fr verify --help)')
  const optional = given({ name, via, keyFile })
  return {
    command: 'verify',
    addresses: addresses ?? [],
    ...optional,
    json: options['json'] === true,
  }
}
