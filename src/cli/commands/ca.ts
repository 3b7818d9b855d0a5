/** `fr ca` on the command line: its options and what they ask for. */
import type { Command as Commander } from 'commander'
import { Argument } from 'commander'
import { parseCount, UsageError } from '../render/units.js'
import { checked, given } from './options.js'

export interface CaCommand {
  readonly command: 'ca'
  readonly action: 'init' | 'issue' | 'revoke'
  readonly directory: string
  /** Of `issue` and `revoke`. */
  readonly name?: string
  readonly days?: number
  readonly renew: boolean
  readonly json: boolean
}

const mostDays = 36_500

export function addCa(program: Commander, found: (command: CaCommand) => void): void {
  program
    .command('ca')
    .description('Make certificates for clusters without a shared key (--tls-cert).')
    .addArgument(new Argument('<action>', 'what to do').choices(['init', 'issue', 'revoke']))
    .argument('<what>', 'directory of the authority (init), or a name')
    .option('--dir <dir>', 'directory of the authority (issue, revoke)')
    .option(
      '--days <n>',
      'how long it is valid (default: an authority 3650, what it issues 365)',
      checked((text) => parseCount(text, 1, mostDays)),
    )
    .option('--renew', 'issue a new certificate for the key that is there')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Whoever has ca.key can make certificates: keep it off the machines. A node or
client needs ca.crt, its own NAME.crt and NAME.key, and ca.crl if any is revoked.

Examples:
  $ fr ca init ca
  $ fr ca issue edge-1 --dir ca
  $ fr ca issue edge-1 --dir ca --renew
  $ fr ca revoke edge-1 --dir ca`,
    )
    .action((action: CaCommand['action'], what: string, { dir, days, renew, json }) => {
      const isInit = action === 'init'
      if (isInit !== (dir === undefined))
        throw new UsageError(
          isInit ? 'fr ca init DIR takes no --dir' : `fr ca ${action} NAME needs --dir`,
        )
      if (renew && action !== 'issue') throw new UsageError('--renew is of fr ca issue')
      if (days !== undefined && action === 'revoke')
        throw new UsageError('fr ca revoke takes no --days')
      const place = isInit ? { directory: what } : { directory: dir as string, name: what }
      const how = { renew: renew === true, json: json === true, ...given({ days }) }
      found({ command: 'ca', action, ...place, ...how })
    })
}
