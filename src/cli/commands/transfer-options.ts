/**
 * What `fr push` and `fr copy` have in common: both put a file on nodes, and differ in who sends
 * it and where it comes from.
 */
import { type Command as Commander, Option } from 'commander'
import type { Shape, Strategy } from '../../api/types.js'
import { limits } from '../../base/limits.js'
import { parseSiteLink } from '../arguments/addresses.js'
import { parseCount, parseDuration, parseRate, UsageError } from '../render/units.js'
import { checked, choice, given, keyFileOption, listed, type Values } from './options.js'
import { nodesOption, type Targets, targetsOf, toOption } from './targets.js'

export interface TransferWishes extends Targets {
  readonly as?: string
  readonly keyFile?: string
  readonly strategy?: Strategy
  readonly shape?: Shape | 'auto'
  readonly noClobber: boolean
  readonly strict: boolean
  readonly allowAdd: boolean
  readonly uplinkBytesPerSecond?: number
  readonly connectMs?: number
  readonly silenceMs?: number
  readonly retries?: number
  readonly timeoutMs?: number
  readonly minRateBytesPerSecond?: number
  /** Wait while another push writes the name. */
  readonly wait: boolean
  readonly json: boolean
  /** Errors only. */
  readonly quiet: boolean
  /** Print progress while it runs. */
  readonly progress: boolean
}

/** `what`: the word for it in help. */
export function whereOptions(command: Commander, what: 'push' | 'copy', as: string): Commander {
  return command
    .addOption(toOption())
    .option(...nodesOption)
    .option('--as <name>', `name at the nodes (default: ${as})`)
    .option('--no-clobber', 'refuse nodes that already have the name')
    .option('--strict', 'refuse nodes whose file system does not keep mode and modification time')
    .addOption(
      new Option('--allow-add', `let others who hold the key add nodes to this ${what} (fr add)`),
    )
    .option(...keyFileOption)
}

export function siteLinkOption(): Option {
  const what = 'what two sites may send each other; may be repeated'
  return new Option('--site-link <a:b=rate>', what).argParser(listed(parseSiteLink))
}

export function strategyOption(): Option {
  return choice('--strategy <strategy>', 'how the file is dealt out', ['adaptive', 'classic'])
}

function duration(least: number, most: number): (text: string) => number {
  return checked((text) => Math.ceil(parseDuration(text, least, most) * 1000))
}

export function waitOptions(command: Commander): Commander {
  const { silenceMsMin, silenceMsMax, connectMsMax, timeoutMsMax } = limits
  return command
    .optionsGroup('How long to wait:')
    .option(
      '--connect-timeout <duration>',
      'how long to dial a node that cannot be reached (default: 10s)',
      duration(0.001, connectMsMax / 1000),
    )
    .option(
      '--silence <duration>',
      'how long a silent node stays in the push; others do its work meanwhile (default: 15s)',
      duration(silenceMsMin / 1000, silenceMsMax / 1000),
    )
    .option(
      '--retries <n>',
      'more attempts for a node that failed for a reason that may pass (default: 2)',
      checked((text) => parseCount(text, 0, limits.retriesMax)),
    )
    .option(
      '--timeout <duration>',
      'fail nodes that are not complete after this time',
      duration(0.001, timeoutMsMax / 1000),
    )
    .option(
      '--min-rate <rate>',
      'fail a node that lands less over 10 s, although bytes are waiting for it',
      checked(parseRate),
    )
    .option('--wait', 'wait while another push is writing the name (default: refuse)')
}

export function shownOptions(command: Commander): Commander {
  return command
    .option('-q, --quiet', 'print errors only')
    .option('--no-progress', 'print no progress, only the plan and the outcome')
    .option('--json', 'one JSON object per line on stdout: plan, progress, node, result')
}

export function transferWishes(options: Values): TransferWishes {
  const { as, keyFile, strategy, shape, retries } = options
  const targets = targetsOf(options)
  if (as === '') throw new UsageError('--as is empty')
  if (strategy === 'classic' && shape === 'unicast') throw new UsageError(classicUnicast)
  const quiet = options['quiet'] === true
  return {
    ...targets,
    ...given({ as, keyFile, strategy, shape, retries }),
    ...given({
      uplinkBytesPerSecond: options['uplink'],
      connectMs: options['connectTimeout'],
      silenceMs: options['silence'],
      timeoutMs: options['timeout'],
      minRateBytesPerSecond: options['minRate'],
    }),
    noClobber: options['clobber'] === false,
    strict: options['strict'] === true,
    allowAdd: options['allowAdd'] === true,
    wait: options['wait'] === true,
    json: options['json'] === true,
    quiet,
    progress: options['progress'] !== false && !quiet,
  }
}

const classicUnicast =
  '--strategy classic deals parts to a group of nodes, --shape unicast makes none'

/** What the library is asked for in the words of `PushOptions` and `CopyOptions` alike. */
export function wishOptions(wishes: TransferWishes) {
  const { noClobber, strict, allowAdd, wait, strategy, shape, uplinkBytesPerSecond } = wishes
  const { connectMs, silenceMs, retries, timeoutMs, minRateBytesPerSecond } = wishes
  return {
    ...{ noClobber, strict, allowAdd, wait },
    ...given({ strategy, shape, uplinkBytesPerSecond }),
    ...given({ connectMs, silenceMs, retries, timeoutMs, minRateBytesPerSecond }),
  }
}
