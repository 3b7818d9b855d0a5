/** `fr limit` on the command line: its options and what they ask for. */
import type { Command as Commander } from 'commander'
import { parseAddress, parseTransfer } from '../arguments/addresses.js'
import { parseLimit, UsageError } from '../render/units.js'
import { checked, given, keyFileOption, type Values } from './options.js'

export interface LimitCommand {
  readonly command: 'limit'
  readonly via: string
  /** 32 hex digits; undefined: all transfers together. */
  readonly transfer?: string
  /** Null: no limit; undefined: as it is. */
  readonly upBytesPerSecond?: number | null
  readonly downBytesPerSecond?: number | null
  readonly keyFile?: string
  readonly json: boolean
}

export function addLimit(program: Commander, found: (command: LimitCommand) => void): void {
  program
    .command('limit')
    .description('Change what a node, or one of its transfers, may send and receive.')
    .option(
      '--via <host[:port]>',
      'the node (required)',
      checked((text) => parseAddress(text)),
    )
    .option('--up <rate>', 'send no more than this; off: no limit', checked(parseChange))
    .option('--down <rate>', 'receive no more than this; off: no limit', checked(parseChange))
    .option('--off', 'no limit, up and down')
    .option(
      '--transfer <transfer>',
      'only this transfer that the node receives, by its id in fr status',
      checked(parseTransfer),
    )
    .option(...keyFileOption)
    .option('--json', 'one JSON object on stdout')
    .addHelpText(
      'after',
      `
What is not named stays as it is. The change holds until the node ends.

Examples:
  $ fr limit --via 10.0.0.2 --up 200Mbit
  $ fr limit --via 10.0.0.2 --down 25MB --transfer 0123456789abcdef0123456789abcdef
  $ fr limit --via 10.0.0.2 --off`,
    )
    .action((options) => found(limitCommand(options)))
}

function parseChange(text: string): number | 'off' {
  return text === 'off' ? text : parseLimit(text)
}

/** Commander keeps no null. */
function changeOf(value: number | 'off'): number | null {
  return value === 'off' ? null : value
}

function limitCommand(options: Values): LimitCommand {
  const { via, up, down, off, transfer, keyFile } = options
  if (!via) throw new UsageError('--via is required (see fr limit --help)')
  const isNamed = up !== undefined || down !== undefined
  if (off === true && isNamed) throw new UsageError('--off is both: it excludes --up and --down')
  if (off !== true && !isNamed) throw new UsageError('--up, --down or --off is required')
  const change = off === true ? ({ up: 'off', down: 'off' } as const) : { up, down }
  return {
    command: 'limit',
    via,
    ...(change.up !== undefined && { upBytesPerSecond: changeOf(change.up) }),
    ...(change.down !== undefined && { downBytesPerSecond: changeOf(change.down) }),
    ...given({ transfer, keyFile }),
    json: options['json'] === true,
  }
}
