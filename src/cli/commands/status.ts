/** `fr status` on the command line: its options and what they ask for. */
import type { Command as Commander } from 'commander'
import { parseAddress } from '../arguments/addresses.js'
import { checked, given, keyFileOption, type Values } from './options.js'

export interface StatusCommand {
  readonly command: 'status'
  readonly address: string
  readonly keyFile?: string
  readonly json: boolean
}

export function addStatus(program: Commander, found: (command: StatusCommand) => void): void {
  program
    .command('status')
    .description('Show what a node is doing.')
    .argument(
      '<host[:port]>',
      'the node',
      checked((text) => parseAddress(text)),
    )
    .option(...keyFileOption)
    .option('--json', 'one JSON object on stdout')
    .addHelpText(
      'after',
      `
Examples:
  $ fr status 10.0.0.2 --key-file fr.key
  $ fr status 10.0.0.2:7401 --json | jq .freeBytes`,
    )
    .action((address: string, options) => found(statusCommand(address, options)))
}

function statusCommand(address: string, options: Values): StatusCommand {
  const keyFile = given({ keyFile: options['keyFile'] })
  return { command: 'status', address, ...keyFile, json: options['json'] === true }
}
