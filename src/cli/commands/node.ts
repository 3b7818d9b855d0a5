/** `fr node` on the command line: its options and what they ask for. */

import { type Command as Commander, InvalidArgumentError } from 'commander'
import type { NodeRole } from '../../api/types.js'
import { attributesFault } from '../../base/attributes.js'
import { limits } from '../../base/limits.js'
import { parseAddress } from '../arguments/addresses.js'
import type { LogWish } from '../render/text.js'
import { parseCount, parseDuration, parseLimit, parseSize, UsageError } from '../render/units.js'
import { addNodeDoor, type DoorWish, doorOf } from './door.js'
import { addFtp, type FtpWish, ftpOf } from './ftp.js'
import {
  checked,
  choice,
  engineOption,
  given,
  keyFileOption,
  listed,
  logOptions,
  sealOption,
  type Values,
} from './options.js'

export interface NodeCommand {
  readonly command: 'node'
  readonly door?: DoorWish
  readonly ftp?: FtpWish
  readonly listen: string
  readonly dataDir?: readonly string[]
  readonly placement?: 'whole' | 'striped'
  readonly roles?: readonly NodeRole[]
  readonly keyFile?: string
  readonly previousKeyFile?: string
  readonly name?: string
  readonly attributes?: Readonly<Record<string, string>>
  readonly advertise?: string
  readonly adopt: boolean
  readonly mirror: boolean
  readonly readOnly: boolean
  readonly relayOnly: boolean
  readonly engine?: 'native' | 'portable'
  readonly keepPartialsSeconds?: number
  readonly want?: readonly string[]
  readonly wantBytes?: number
  readonly wantAgeSeconds?: number
  readonly keep?: number
  readonly maxSpaceBytes?: number
  readonly maxAgeSeconds?: number
  readonly minVersions?: number
  readonly minFreeBytes?: number
  readonly maxServes?: number
  readonly limitUpBytesPerSecond?: number
  readonly limitDownBytesPerSecond?: number
  readonly seal?: boolean
  readonly requireSeal?: boolean
  readonly authorize?: string
  readonly dropPrivileges?: string
  readonly master?: readonly string[]
  readonly maxFeeds?: number
  readonly parent?: readonly string[]
  readonly maxChildren?: number
  readonly deputy?: string
  readonly log: LogWish
  readonly json: boolean
}

export function addNode(program: Commander, found: (command: NodeCommand) => void): void {
  const command = program
    .command('node')
    .description('Receive, store and pass on files until stopped.')
    .option(
      '--listen <host[:port]>',
      'address to serve (required); port 0 picks a free one',
      checked((text) => parseAddress(text, 0)),
    )
    .option(
      '--data <dir>',
      'directory for files (required, but not for --relay-only); repeat it for each disk; ' +
        'shared:DIR is one that several nodes use',
      listed((text) => text),
    )
    .addOption(
      choice(
        '--placement <way>',
        'how files are spread over several --data: each on one, or its bytes (default: whole)',
        ['whole', 'striped'],
      ),
    )
    .option(
      '--role <roles>',
      'what this process does of a node that is several over one shared:DIR: control, ' +
        'distribute, serve (default: all; docs/clusters.md)',
      roles,
    )
    .option(...keyFileOption)
    .option('--previous-key-file <file>', 'second key, accepted during key rotation')
    .option('--authorize <file>', 'serve only the peers in this list (fr id), read again on change')
    .option('--drop-privileges <user>', 'started as root: become this user once the port is bound')
    .option(
      '--master <host[:port]>',
      'copy what this master says (fr master), which hears what is held here; repeat it for more',
      listed((text) => parseAddress(text)),
    )
    .option(
      '--parent <host[:port]>',
      'parent in the directory (fr where); repeat it for others, when that one is gone',
      listed((text) => parseAddress(text)),
    )
    .option(
      '--max-children <n>',
      'children in the directory; more are passed down to them (default: 16)',
      checked((text) => parseCount(text, 1, limits.childrenMax)),
    )
    .option(
      '--deputy <host[:port]>',
      'of a root of a directory: the node that its children go to when it is gone',
      checked((text) => parseAddress(text)),
    )
    .option('--name <name>', 'name of this node in status and logs')
    .option(
      '--attr <key=value>',
      'attribute of this node for criteria (--only), as region=eu or gpu; repeat it for more',
      attribute,
    )
    .option(
      '--advertise <host:port>',
      'address that other nodes dial, where it differs from --listen',
      checked((text) => parseAddress(text)),
    )
    .option('--adopt', 'take in the files that lie in --data already: this node holds them then')
    .option('--read-only', 'serve what --data holds by its records, and write nothing there')
    .option(
      '--relay-only',
      'pass on what comes, as fast as the slowest receiver, and store nothing (fr push --relay)',
    )
    .option('--mirror', 'say in the status that this node is meant to be a mirror')
    .addOption(engineOption())
    .option(
      '--keep-partials <duration>',
      'how long unfinished files are kept while there is room (default: 7d)',
      checked((text) => Math.ceil(parseDuration(text))),
    )
    .option(
      '--want <what>',
      'of contents announced for this node: all, none, first 10%, tracks:0 or a pattern; repeat it',
      wanted,
    )
    .option('--want-space <size>', 'space that these may take together', checked(parseSize))
    .option(
      '--want-age <duration>',
      'how long after it was published a content is wanted',
      checked((text) => Math.ceil(parseDuration(text))),
    )
    .option(
      '--keep <n>',
      'earlier versions to keep of each name (default: 0; of trees pushed --atomic 1)',
      checked((text) => parseCount(text, 0, limits.versionsPerName)),
    )
    .option('--max-space <size>', 'space that earlier versions may take', checked(parseSize))
    .option(
      '--max-age <duration>',
      'how long earlier versions are kept',
      checked((text) => Math.ceil(parseDuration(text))),
    )
    .option(
      '--min-versions <n>',
      'earlier versions of each name that neither age nor space takes (default: 1)',
      checked((text) => parseCount(text, 0, limits.versionsPerName)),
    )
    .option('--min-free <size>', 'disk space that stays free (default: 64MiB)', checked(parseSize))
    .option(
      '--max-serves <n>',
      'clients that fetch files at the same time (default: 32)',
      checked((text) => parseCount(text, 0, limits.servesPerNodeMax)),
    )
    .option(
      '--limit-up <rate>',
      'send no more than this, whatever for (fr limit changes it)',
      checked(parseLimit),
    )
    .option('--limit-down <rate>', 'receive no more than this, whatever for', checked(parseLimit))
    .option(
      '--max-feeds <n>',
      'data connections that it sends on at once, whatever for; groups are made to fit',
      checked((text) => parseCount(text, limits.feedsPerNodeMin, limits.feedsPerNodeMax)),
    )
    .addOption(sealOption())
    .option('--require-seal', 'take and send nothing on a connection that is not sealed')
  addNodeDoor(command)
  addFtp(command)
  command.option('--json', 'print the address on stdout as JSON')
  logOptions(command, 'info').addHelpText(
    'after',
    `
Examples:
  $ fr node --listen 127.0.0.1 --data /tmp/a
  $ fr node --listen 10.0.0.1 --relay-only --key-file /etc/fr.key
  $ fr node --listen '[::]:7400' --data /srv/data --key-file /etc/fr.key
  $ fr node --listen 10.0.0.1 --data /disk1 --data /disk2 --key-file /etc/fr.key
  $ FR_KEY=$(cat fr.key) fr node --listen 10.0.0.2:0 --data /srv/data --json`,
  )
  command.action((options) => found(nodeCommand(options)))
}

function roles(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, ...text.split(',').map((role) => role.trim())]
}

function wanted(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text]
}

/** One more; each key once. */
/** KEY=VALUE, of an option that may be repeated. */
export function attribute(
  text: string,
  before: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const [key = '', ...value] = text.split('=')
  if (Object.hasOwn(before, key)) throw new InvalidArgumentError(`${key} is given twice.`)
  const attributes = { ...before, [key]: value.join('=') }
  const fault = attributesFault(attributes)
  if (fault !== null) throw new InvalidArgumentError(`${fault}.`)
  return attributes
}

/** Options of a node that has files. */
const ofFiles = [
  ...['data', 'placement', 'role', 'adopt', 'readOnly', 'mirror', 'maxServes'],
  ...['keep', 'maxSpace', 'maxAge', 'minVersions', 'master'],
]

/** As it is written on the command line. */
function flagOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

function nodeCommand(options: Values): NodeCommand {
  // commander's requiredOption would hide a mistyped flag.
  const relayOnly = options['relayOnly'] === true
  for (const name of relayOnly ? ['listen'] : ['listen', 'data']) {
    if (!options[name]) throw new UsageError(`--${name} is required (see fr node --help)`)
  }
  for (const name of ofFiles)
    if (relayOnly && options[name] !== undefined)
      throw new UsageError(`--relay-only stores nothing: it takes no --${flagOf(name)}`)
  if (options['keyFile'] === '-' && options['previousKeyFile'] === '-')
    throw new UsageError('--key-file and --previous-key-file cannot both be standard input')
  if (options['adopt'] && options['readOnly'])
    throw new UsageError('--adopt writes records to --data: it cannot be used with --read-only')
  const { listen, data, placement, keyFile, previousKeyFile, name, advertise, engine } = options
  const door = doorOf(options)
  return {
    command: 'node',
    listen,
    ...given({ roles: options['role'] }),
    ...given({ dataDir: data, placement, keyFile, previousKeyFile, name, advertise, engine }),
    ...given({ keepPartialsSeconds: options['keepPartials'], minFreeBytes: options['minFree'] }),
    ...given({ want: options['want'], wantBytes: options['wantSpace'] }),
    ...given({ wantAgeSeconds: options['wantAge'] }),
    ...given({ keep: options['keep'], minVersions: options['minVersions'] }),
    ...given({ maxSpaceBytes: options['maxSpace'], maxAgeSeconds: options['maxAge'] }),
    ...given({ seal: options['seal'], requireSeal: options['requireSeal'] }),
    ...given({ attributes: options['attr'] }),
    ...given({ authorize: options['authorize'], dropPrivileges: options['dropPrivileges'] }),
    ...given({ master: options['master'], parent: options['parent'] }),
    ...given({ maxChildren: options['maxChildren'], deputy: options['deputy'] }),
    ...given({ maxServes: options['maxServes'], maxFeeds: options['maxFeeds'] }),
    ...given({ door, ftp: ftpOf(options, door) }),
    ...given({
      limitUpBytesPerSecond: options['limitUp'],
      limitDownBytesPerSecond: options['limitDown'],
    }),
    adopt: options['adopt'] === true,
    mirror: options['mirror'] === true,
    readOnly: options['readOnly'] === true,
    relayOnly,
    json: options['json'] === true,
    log: { format: options['logFormat'], level: options['logLevel'] },
  }
}
