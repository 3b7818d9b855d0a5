/**
 * What `fr push` and `fr copy` have in common: both put a file on nodes, and differ in who sends
 * it and where it comes from.
 */
import { type Command as Commander, Option } from 'commander'
import type { PushOptions } from '../../api/types.js'
import { detectionFault, detectionOf } from '../../base/detection.js'
import { limits } from '../../base/limits.js'
import { parseAddress, parseSite, parseSiteLink } from '../arguments/addresses.js'
import {
  parseCount,
  parseDuration,
  parseLimit,
  parseRate,
  parseShare,
  UsageError,
} from '../render/units.js'
import {
  checked,
  choice,
  flowsOption,
  given,
  keyFileOption,
  listed,
  sealOption,
  type Values,
} from './options.js'
import { nodesOption, type Targets, targetsOf, toOption } from './targets.js'

/** Options that the library knows by the same names. */
type Passed = Pick<
  PushOptions,
  | 'strategy'
  | 'shape'
  | 'groupSize'
  | 'handover'
  | 'site'
  | 'siteLinks'
  | 'relays'
  | 'limitUpBytesPerSecond'
  | 'limitDownBytesPerSecond'
  | 'priority'
  | 'flows'
  | 'seal'
  | 'uplinkBytesPerSecond'
  | 'connectMs'
  | 'silenceMs'
  | 'suspectAfterMs'
  | 'failAfterMs'
  | 'demoteBelow'
  | 'retries'
  | 'rejoinMs'
  | 'timeoutMs'
  | 'minRateBytesPerSecond'
>

export interface TransferWishes extends Targets {
  readonly as?: string
  readonly keyFile?: string
  readonly passed: Readonly<Passed>
  readonly noClobber: boolean
  readonly strict: boolean
  readonly allowAdd: boolean
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
  const what = 'what two sites may send each other (,seal: encrypted); may be repeated'
  return new Option('--site-link <a:b=rate>', what).argParser(listed(parseSiteLink))
}

const handovers = ['corresponding', 'every'] as const
const shapes = ['auto', 'unicast', 'group', 'chain', 'tree', 'binomial'] as const

export function dealOptions(command: Commander): Commander {
  const { nodesPerGroup } = limits
  return command
    .addOption(
      choice('--strategy <strategy>', 'how the file is dealt out', ['adaptive', 'classic']),
    )
    .addOption(choice('--shape <shape>', 'who feeds whom', shapes))
    .addOption(
      new Option('--group-size <k>', 'nodes of a group; more are several groups').argParser(
        checked((text) => parseCount(text, 1, nodesPerGroup)),
      ),
    )
}

/** `sender`: who deals the file out. */
export function siteOptions(command: Commander, sender: string): Commander {
  return command
    .addOption(choice('--handover <kind>', 'whom a node feeds in the next group', handovers))
    .option('--site <name>', `site where ${sender} stands`, checked(parseSite))
    .addOption(siteLinkOption())
}

/** `what`: the word for it in help. */
export function shareOptions(command: Commander, what: 'push' | 'copy', sender: string): Commander {
  const { priorityMin, priorityMax } = limits
  return command
    .option(
      '--uplink <rate>',
      `uplink of ${sender}, for the predicted time, the bound and the first second`,
      checked(parseRate),
    )
    .option(
      '--limit-up <rate>',
      `most that ${sender} and each node send for this ${what}`,
      checked(parseLimit),
    )
    .option('--limit-down <rate>', 'most that each node receives for it', checked(parseLimit))
    .option(
      '--priority <n>',
      'weight against other transfers of nodes that have a limit, 1 to 100 (default: 10)',
      checked((text) => parseCount(text, priorityMin, priorityMax)),
    )
    .addOption(flowsOption())
    .addOption(sealOption())
}

export function relayOption(): Option {
  return new Option(
    '--relay <host[:port]>',
    'node that passes on a part and keeps nothing (fr node --relay-only); may be repeated',
  ).argParser(listed(parseAddress))
}

function duration(least: number, most: number): (text: string) => number {
  return checked((text) => Math.ceil(parseDuration(text, least, most) * 1000))
}

export function waitOptions(command: Commander): Commander {
  const { silenceMsMin, silenceMsMax, suspectMsMin, connectMsMax, rejoinMsMax, timeoutMsMax } =
    limits
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
      '--suspect-after <duration>',
      'silence after which a node is suspected, and dealt nothing (default: 1s)',
      duration(suspectMsMin / 1000, silenceMsMax / 1000),
    )
    .option(
      '--fail-after <duration>',
      'silence after which others do its work; sooner where a mate misses it, too (default: 2s)',
      duration((2 * suspectMsMin) / 1000, silenceMsMax / 1000),
    )
    .option(
      '--demote-below <share>',
      'part of the usual rate below which a node relays nothing for a while (default: 5%)',
      checked(parseShare),
    )
    .option(
      '--retries <n>',
      'more attempts for a node that failed for a reason that may pass (default: 2)',
      checked((text) => parseCount(text, 0, limits.retriesMax)),
    )
    .option(
      '--rejoin <duration>',
      'how long a node that was lost is waited for at the end; 0: not at all (default: 60s)',
      duration(0, rejoinMsMax / 1000),
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
  const { as, keyFile } = options
  const targets = targetsOf(options)
  if (as === '') throw new UsageError('--as is empty')
  const quiet = options['quiet'] === true
  return {
    ...targets,
    ...given({ as, keyFile }),
    passed: passedOptions(options),
    noClobber: options['clobber'] === false,
    strict: options['strict'] === true,
    allowAdd: options['allowAdd'] === true,
    wait: options['wait'] === true,
    json: options['json'] === true,
    quiet,
    progress: options['progress'] !== false && !quiet,
  }
}

function passedOptions(options: Values): Passed {
  const { strategy, shape, groupSize, handover, site, retries, priority, flows, seal } = options
  if (strategy === 'classic' && shape === 'unicast') throw new UsageError(classicUnicast)
  if (groupSize !== undefined && shape === 'unicast')
    throw new UsageError('--group-size cuts nodes into groups, --shape unicast makes none')
  if (handover !== undefined && ['unicast', 'group'].includes(shape))
    throw new UsageError(`--handover is between groups, --shape ${shape} has no two`)
  const fault = silenceFault(options)
  if (fault !== null)
    throw new UsageError(`--suspect-after, --fail-after and --silence do not fit: ${fault}`)
  return given({
    ...{ strategy, shape, groupSize, handover, site, retries, priority, flows, seal },
    siteLinks: options['siteLink'],
    relays: options['relay'],
    limitUpBytesPerSecond: options['limitUp'],
    limitDownBytesPerSecond: options['limitDown'],
    uplinkBytesPerSecond: options['uplink'],
    connectMs: options['connectTimeout'],
    silenceMs: options['silence'],
    suspectAfterMs: options['suspectAfter'],
    failAfterMs: options['failAfter'],
    demoteBelow: options['demoteBelow'],
    rejoinMs: options['rejoin'],
    timeoutMs: options['timeout'],
    minRateBytesPerSecond: options['minRate'],
  })
}

function silenceFault({ silence = limits.silenceMs, suspectAfter, failAfter }: Values) {
  const wish = given({ suspectMs: suspectAfter, failMs: failAfter })
  return detectionFault(detectionOf(wish, silence), silence)
}

const classicUnicast =
  '--strategy classic deals parts to a group of nodes, --shape unicast makes none'

/** What the library is asked for in the words of `PushOptions` and `CopyOptions` alike. */
export function wishOptions({ passed, noClobber, strict, allowAdd, wait }: TransferWishes) {
  return { ...passed, noClobber, strict, allowAdd, wait }
}
