/** `fr digest` on the command line: its options and what they ask for. */
import type { Command as Commander } from 'commander'
import { type DigestAlgorithm, digestAlgorithms } from '../../base/digests.js'
import { choice } from './options.js'

export interface DigestCommand {
  readonly command: 'digest'
  readonly path: string
  readonly digest?: DigestAlgorithm
}

export function addDigest(program: Commander, found: (command: DigestCommand) => void): void {
  program
    .command('digest')
    .description('Print the digest of a file, as nodes report it.')
    .argument('<file>', 'the file')
    .addOption(
      choice(
        '--digest <algorithm>',
        'how blocks are digested, blake3 with FR_KEY and xxh64 without',
        digestAlgorithms,
      ),
    )
    .addHelpText(
      'after',
      `
Examples:
  $ fr digest model.bin
  $ fr digest model.bin --digest blake3`,
    )
    .action((path: string, options) => found({ command: 'digest', path, ...options }))
}
