/** `fr master` on the command line: its options and what they ask for. */
import type { Command as Commander } from 'commander'
import { parseAddress } from '../arguments/addresses.js'
import type { LogWish } from '../render/text.js'
import { UsageError } from '../render/units.js'
import { addDoor, type DoorWish, doorOf } from './door.js'
import { checked, given, keyFileOption, logOptions, type Values } from './options.js'

export interface MasterCommand {
  readonly command: 'master'
  readonly door?: DoorWish
  readonly listen: string
  readonly dataDir: string
  readonly topology?: string
  readonly sets?: string
  readonly state?: string
  readonly stateFile?: string
  readonly advertise?: string
  readonly keyFile?: string
  readonly previousKeyFile?: string
  readonly authorize?: string
  readonly log: LogWish
  readonly json: boolean
}

export function addMaster(program: Commander, found: (command: MasterCommand) => void): void {
  const command = program
    .command('master')
    .description('Decide which node copies what from which, so that each has its file sets.')
    .option(
      '--listen <host[:port]>',
      'address to serve (required); port 0 picks a free one',
      checked((text) => parseAddress(text, 0)),
    )
    .option('--data <dir>', 'directory for what the master keeps (required)')
    .option('--topology <file>', 'sites and links in YAML (default: all near, links unlimited)')
    .option('--sets <dir>', 'file sets in YAML; read again on SIGHUP')
    .option(
      '--state <url>',
      'nats://host:port[,..][/bucket]: keep the state there, with masters of which one leads',
    )
    .option('--state-file <file>', 'what that needs: user, password, token, tls, replicas (JSON)')
    .option(
      '--advertise <host:port>',
      'address of this master for nodes and other masters, where it differs from --listen',
      checked((text) => parseAddress(text)),
    )
    .option(...keyFileOption)
    .option('--previous-key-file <file>', 'second key, accepted during key rotation')
    .option('--authorize <file>', 'serve only the peers in this list (fr id), read again on change')
  addDoor(command)
  command.option('--json', 'print the address on stdout as JSON')
  logOptions(command, 'info').addHelpText(
    'after',
    `
Examples:
  $ fr master --listen 10.0.0.1 --data /srv/master --sets sets --key-file fr.key
  $ fr node --listen 10.0.0.2 --data /srv/data --master 10.0.0.1 --key-file fr.key
  $ fr master --listen 10.0.0.1 --data /srv/master --state nats://10.0.0.9 --key-file fr.key`,
  )
  command.action((options) => found(masterCommand(options)))
}

function masterCommand(options: Values): MasterCommand {
  for (const name of ['listen', 'data'])
    if (!options[name]) throw new UsageError(`--${name} is required (see fr master --help)`)
  if (options['keyFile'] === '-' && options['previousKeyFile'] === '-')
    throw new UsageError('--key-file and --previous-key-file cannot both be standard input')
  for (const name of ['stateFile', 'advertise'])
    if (options[name] !== undefined && options['state'] === undefined)
      throw new UsageError('--state-file and --advertise are for masters with --state')
  const { listen, data: dataDir, topology, sets, keyFile, previousKeyFile, authorize } = options
  const { state, stateFile, advertise } = options
  return {
    ...{ command: 'master', listen, dataDir },
    ...given({ topology, sets, keyFile, previousKeyFile, authorize }),
    ...given({ state, stateFile, advertise, door: doorOf(options) }),
    json: options['json'] === true,
    log: { format: options['logFormat'], level: options['logLevel'] },
  }
}
