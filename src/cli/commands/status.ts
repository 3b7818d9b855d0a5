/** `fr status` on the command line: its options and what they ask for. */
import type { Command as Commander } from 'commander'
import { limits } from '../../base/limits.js'
import { parseDuration } from '../render/units.js'
import { checked, keyFileOption, type Values } from './options.js'
import { type Several, severalOf, severalUsage } from './several.js'
import { nodesOption } from './targets.js'

export interface StatusCommand extends Several {
  readonly command: 'status'
  /** Milliseconds after which it is shown again; undefined: it is shown once. */
  readonly watchMs?: number
  readonly json: boolean
}

/** Milliseconds. Throws UsageError. */
export function parseEvery(text: string): number {
  const { watchMsMin, watchMsMax } = limits
  return Math.round(1000 * parseDuration(text, watchMsMin / 1000, watchMsMax / 1000))
}

export function addStatus(program: Commander, found: (command: StatusCommand) => void): void {
  program
    .command('status')
    .description('Show what nodes are doing: all of one, or a line for each of several.')
    .argument(...severalUsage)
    .option(...nodesOption)
    .option(
      '--watch [time]',
      'show it again and again (100ms to 1h; default 1s)',
      checked(parseEvery),
    )
    .option(...keyFileOption)
    .option('--json', 'one JSON object on stdout for each node')
    .addHelpText(
      'after',
      `
Exit status of several: 0 all answer, 3 some do, 1 none does.

Examples:
  $ fr status 10.0.0.2 --key-file fr.key
  $ fr status 10.0.0.2:7401 --json | jq .freeBytes
  $ fr status --nodes fleet.txt --watch 5s
  $ fr status dns:fr.lan --watch --json | jq -c .rates`,
    )
    .action((list: string | undefined, options: Values) => found(statusCommand(list, options)))
}

function statusCommand(list: string | undefined, options: Values): StatusCommand {
  const { watch, json } = options
  const watchMs = watch === undefined ? {} : { watchMs: watch === true ? 1_000 : watch }
  return { command: 'status', ...severalOf(list, options), ...watchMs, json: json === true }
}
