/** `fr push` on the command line: its options and what they ask for. */
import { type Command as Commander, InvalidArgumentError, Option } from 'commander'
import type { PushOptions } from '../../api/types.js'
import { canonical, parseCriteria } from '../../base/criteria.js'
import { type DigestAlgorithm, digestAlgorithms } from '../../base/digests.js'
import { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { parseAddress } from '../arguments/addresses.js'
import type { LogWish } from '../render/text.js'
import { parseCount, parseDuration, UsageError } from '../render/units.js'
import { checked, choice, engineOption, given, listed, logOptions, type Values } from './options.js'
import {
  dealOptions,
  relayOption,
  shareOptions,
  shownOptions,
  siteOptions,
  type TransferWishes,
  transferWishes,
  waitOptions,
  whereOptions,
} from './transfer-options.js'

export interface PushCommand extends TransferWishes {
  readonly command: 'push'
  /** One is a file, a directory or standard input; several go into one directory. */
  readonly paths: readonly [string, ...string[]]
  readonly tree: TreeWishes
  readonly digest?: DigestAlgorithm
  readonly engine?: 'native' | 'portable'
  readonly verify: boolean
  readonly keep?: number
  readonly commit?: 'all' | 'quorum'
  readonly only?: string
  readonly coding: Pick<PushOptions, 'compress' | 'base' | 'baseFile'>
  /** The source is still written. */
  readonly follow?: { readonly finalAfterMs?: number }
  /** Standard input is read to its end before anybody is dialled. */
  readonly noFollow: boolean
  /** The paths are descriptors. */
  readonly descriptors?: { readonly enough?: number }
  /** File for the timeline. */
  readonly trace?: string
  readonly dryRun: boolean
  readonly mirrors?: readonly string[]
  readonly spareOrigin: boolean
  readonly log: LogWish
}

export function addPush(program: Commander, found: (command: PushCommand) => void): void {
  const command = program
    .command('push')
    .description('Put a file, or directories with all that is in them, on nodes.')
    .argument('<path...>', 'a file or directories; - is standard input, and needs --as')
    .optionsGroup('What goes where:')
  whereOptions(command, 'push', 'the name of the file, or of the directory')
    .option('--verify', 'read the source even if it is unchanged since an earlier push')
    .option(
      '--keep <n>',
      'earlier versions of the name that nodes keep, at least (fr versions, fr rollback)',
      checked((text) => parseCount(text, 0, limits.versionsPerName)),
    )
    .option(
      '--follow',
      'send what is appended to the file, or comes on standard input, as it comes',
    )
    .option('--no-follow', 'read standard input to its end first')
    .option(
      '--final-after <duration>',
      'the file is final once nothing has come for so long (default: on SIGINT or SIGTERM)',
      checked((text) => Math.ceil(parseDuration(text, 0.001, limits.timeoutMsMax / 1000) * 1000)),
    )
    .option('--descriptors', 'the paths are descriptors: each goes whole to a node that relays it')
    .option(
      '--enough <m>',
      'descriptors that make a node usable (default: 1)',
      checked((text) => parseCount(text, 1, limits.descriptorsPerPush)),
    )
    .addOption(
      choice('--commit <who>', 'all nodes switch to it or none, once all or most of them have it', [
        'all',
        'quorum',
      ]),
    )
  command.option(
    '--only <criteria>',
    "who may hold it, now and later: 'site=eu && name=edge-*' (fr node --attr)",
    criteria,
  )
  treeOptions(command).optionsGroup('How it goes:')
  dealOptions(command)
  siteOptions(command, 'this machine')
    .addOption(
      choice(
        '--digest <algorithm>',
        'how blocks are verified, blake3 with a key and xxh64 without',
        digestAlgorithms,
      ),
    )
    .addOption(
      choice(
        '--compress <how>',
        'send it compressed: zstd, auto (where that is sooner) or off (default)',
        ['zstd', 'auto', 'off'],
      ),
    )
    .option('--base <name[@version]>', 'what most nodes hold: only the difference is sent to them')
    .option('--base-file <path>', 'the same content here')
    .addOption(engineOption())
  shareOptions(command, 'push', 'this machine')
    .addOption(
      new Option(
        '--mirror <host[:port]>',
        'node that sends what this machine is too busy for, or cannot bring; may be repeated',
      ).argParser(listed(parseAddress)),
    )
    .addOption(relayOption())
    .option('--spare-origin', 'have the mirror copy it to all nodes')
  waitOptions(command)
    .optionsGroup('What is shown:')
    .option('--dry-run', 'print the plan, or what would change in directories')
  shownOptions(command).option(
    '--trace <file>',
    'write a timeline for a trace viewer (Chrome trace format)',
  )
  logOptions(command, 'warn').addHelpText(
    'after',
    `
Examples:
  $ fr push model.bin --to 10.0.0.2,10.0.0.3 --key-file fr.key
  $ fr push model.bin --nodes nodes.txt --as models/v2.bin --digest sha256
  $ fr push site --nodes nodes.txt --exclude .git --exclude '*.tmp'
  $ tar c models | fr push - --as models.tar --nodes nodes.txt
  $ fr push --follow build.log --nodes nodes.txt --final-after 60s
  $ producer | fr push - --follow --as stream --nodes nodes.txt
  $ fr push --descriptors d0 d1 d2 --enough 2 --as song --nodes nodes.txt
  $ fr push model.bin --nodes nodes.txt --only 'site=eu && !legacy'
  $ fr push model.bin --nodes nodes.txt --uplink 10Gbit --dry-run
  $ fr push model.bin --nodes nodes.txt --json | jq 'select(.event == "result")'`,
  )
  command.action((paths: readonly string[], options) => found(pushCommand(paths, options)))
}

/** Checked here, so that a mistake is one of usage. */
function criteria(text: string): string {
  try {
    return canonical(parseCriteria(text))
  } catch (error) {
    if (error instanceof FrError) throw new InvalidArgumentError(`${error.message}.`)
    throw error
  }
}

/** What is said of directories. */
export type TreeWishes = Pick<PushOptions, (typeof treeNames)[number]>

const treeNames = [
  ...(['include', 'exclude', 'delete', 'atomic', 'owner', 'xattrs', 'acls', 'sha256'] as const),
] as const

function treeOptions(command: Commander): Commander {
  return command
    .optionsGroup('Of directories:')
    .addOption(
      new Option(
        '--include <rule>',
        'what goes, as in a .gitignore file; may be repeated (default: all)',
      ).argParser(listed(parseRule)),
    )
    .addOption(
      new Option(
        '--exclude <rule>',
        'what stays, as in a .gitignore file; may be repeated',
      ).argParser(listed(parseRule)),
    )
    .option('--delete', 'remove at the nodes what is not here')
    .option('--atomic', 'change all at once: DATA/NAME is a link to a version')
    .option('--owner', 'keep owner and group, where nodes may')
    .option('--xattrs', 'keep extended attributes')
    .option('--acls', 'keep access control lists')
    .option('--sha256', 'send along the SHA-256 of each file, for registries')
}

function parseRule(text: string): string {
  if (text === '' || text.includes('\n')) throw new UsageError('a rule is one line, not empty')
  return text
}

function treeWishes(options: Values): TreeWishes {
  return given(Object.fromEntries(treeNames.map((name) => [name, options[name]])))
}

function descriptorWish(
  paths: readonly string[],
  { descriptors, enough }: Values,
): PushCommand['descriptors'] {
  if (descriptors !== true) {
    if (enough !== undefined) throw new UsageError('--enough M needs --descriptors')
    return undefined
  }
  if (paths.includes('-')) throw new UsageError('standard input is no descriptor')
  if (Number(enough) > paths.length)
    throw new UsageError(`--enough ${enough} is more than there are descriptors: ${paths.length}`)
  return given({ enough })
}

function followWish(
  paths: readonly string[],
  { follow, finalAfter: finalAfterMs }: Values,
): PushCommand['follow'] {
  if (follow !== true) {
    if (finalAfterMs !== undefined) throw new UsageError('--final-after DURATION needs --follow')
    return undefined
  }
  if (paths.length > 1) throw new UsageError('--follow is of one file, or of standard input')
  if (paths[0] === '-' && finalAfterMs !== undefined)
    throw new UsageError('--final-after is for a file: standard input has an end of its own')
  return given({ finalAfterMs })
}

function pushCommand([path = '', ...more]: readonly string[], options: Values): PushCommand {
  const { digest, engine } = options
  const wishes = transferWishes(options)
  const { as, keyFile, quiet } = wishes
  const descriptors = descriptorWish([path, ...more], options)
  const follow = followWish([path, ...more], options)
  if ([path, ...more].includes('')) throw new UsageError('PATH is empty')
  if (more.length > 0 && [path, ...more].includes('-'))
    throw new UsageError('standard input is pushed by itself')
  if (more.length > 0 && as === undefined && descriptors === undefined)
    throw new UsageError('several paths need --as NAME: the directory that they go into')
  if (path === '-' && as === undefined) throw new UsageError('standard input needs --as NAME')
  if (path === '-' && keyFile === '-')
    throw new UsageError('standard input is either the file or the key')
  if (options['trace'] === '') throw new UsageError('--trace is empty')
  if (options['trace'] !== undefined && options['dryRun'] === true)
    throw new UsageError('--trace records a push, and --dry-run makes none')
  if ((options['base'] === undefined) !== (options['baseFile'] === undefined))
    throw new UsageError('--base NAME[@VERSION] and --base-file PATH go together')
  if (options['spareOrigin'] === true && options['mirror'] === undefined)
    throw new UsageError('--spare-origin needs --mirror HOST[:PORT]')
  return {
    command: 'push',
    paths: [path, ...more],
    tree: treeWishes(options),
    ...wishes,
    ...given({ digest, engine, trace: options['trace'], mirrors: options['mirror'] }),
    ...given({ keep: options['keep'], commit: options['commit'], only: options['only'] }),
    ...(descriptors && { descriptors }),
    ...(follow && { follow }),
    noFollow: options['follow'] === false,
    verify: options['verify'] === true,
    coding: given({
      compress: options['compress'],
      base: options['base'],
      baseFile: options['baseFile'],
    }),
    dryRun: options['dryRun'] === true,
    spareOrigin: options['spareOrigin'] === true,
    log: { format: options['logFormat'], level: quiet ? 'error' : options['logLevel'] },
  }
}
