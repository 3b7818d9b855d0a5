/** `fr keygen` on the command line: its options and what they ask for. */
import type { Command as Commander } from 'commander'

export interface KeygenCommand {
  readonly command: 'keygen'
  readonly out?: string
}

export function addKeygen(program: Commander, found: (command: KeygenCommand) => void): void {
  program
    .command('keygen')
    .description('Make a new key.')
    .option('--out <file>', 'write the key to a new file that only its owner can read')
    .addHelpText(
      'after',
      `
Examples:
  $ fr keygen --out fr.key
  $ export FR_KEY=$(fr keygen)`,
    )
    .action((options) => found({ command: 'keygen', ...options }))
}
