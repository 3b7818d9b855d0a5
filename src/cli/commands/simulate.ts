/** `fr simulate` on the command line: its options and what they ask for. */
import { type Command as Commander, Option } from 'commander'
import type { SimulateOptions } from '../../api/simulate-types.js'
import type { Shape, Strategy } from '../../api/types.js'
import { limits } from '../../base/limits.js'
import { parseSite } from '../arguments/addresses.js'
import { parseCount, parseDuration, parseRate, parseSize, UsageError } from '../render/units.js'
import { checked, choice, given, listed, type Values } from './options.js'
import { dealOptions, siteLinkOption } from './transfer-options.js'

export interface SimulateCommand {
  readonly command: 'simulate'
  /** Either how many nodes or the file that names them. */
  readonly nodes?: number
  readonly nodesFile?: string
  readonly bytes: number
  readonly uplinkBytesPerSecond: number
  readonly downlinkBytesPerSecond?: number
  readonly originUplinkBytesPerSecond?: number
  readonly latencyMs?: number
  readonly strategy?: Strategy
  readonly shape?: Shape | 'auto'
  readonly groupSize?: number
  readonly site?: string
  readonly siteLinks?: NonNullable<SimulateOptions['siteLinks']>
  readonly kill?: NonNullable<SimulateOptions['kill']>
  readonly speedsKnown: boolean
  readonly seed?: number
  readonly model?: NonNullable<SimulateOptions['model']>
  /** Of a master, with its sets: then no push is simulated. */
  readonly topology?: string
  readonly sets?: string
  /** A file for a picture. */
  readonly plot?: string
  readonly json: boolean
}

export function addSimulate(program: Commander, found: (command: SimulateCommand) => void): void {
  const command = program
    .command('simulate')
    .description('Simulate a push: how long it would take, with the planner of a real one.')
    .optionsGroup('The machines:')
    .addOption(
      new Option('--nodes <n>', 'how many nodes').argParser(
        checked((text) => parseCount(text, 1, limits.simulatedNodes)),
      ),
    )
    .option('--nodes-file <file>', 'or the nodes as fr push --nodes reads them, with their links')
    .requiredOption('--size <size>', 'of the file (required)', checked(parseSize))
    .requiredOption('--uplink <rate>', 'of every machine (required)', checked(parseRate))
    .option('--downlink <rate>', 'of every machine (default: as the uplink)', checked(parseRate))
    .option('--origin-uplink <rate>', "the origin's (default: as the others)", checked(parseRate))
    .option('--latency <ms>', 'one way between any two, in ms (default: 0.3)', checked(parseMs))
    .optionsGroup('The push:')
  dealOptions(command)
    .option(
      '--site <name>',
      "the origin's site; those of nodes are in --nodes-file",
      checked(parseSite),
    )
    .addOption(siteLinkOption())
    .option('--speeds-unknown', 'the planner is not told how fast links are')
    .addOption(
      new Option('--kill <n@time>', 'node N dies then, 7@2s; may be repeated').argParser(
        listed(parseKill),
      ),
    )
    .optionsGroup('A master instead of a push:')
    .option('--topology <file>', 'sites and links, as fr master reads them; needs --sets')
    .option('--sets <dir>', 'what nodes are to hold; the first node has all of it at first')
    .optionsGroup('The simulation:')
    .addOption(
      choice('--model <model>', 'whole sessions, or bytes that flow, which is faster', [
        'auto',
        'sessions',
        'fluid',
      ]),
    )
    .option(
      '--seed <n>',
      'the same seed is the same answer (default: 1)',
      checked((text) => parseCount(text, 0, 999_999_999)),
    )
    .optionsGroup('What is shown:')
    .option('--plot <file>', 'draw completion, use of links and the tree, as SVG')
    .option('--json', 'one JSON object on stdout')
    .addHelpText(
      'after',
      `
Examples:
  $ fr simulate --nodes 10000 --size 10GB --uplink 10Gbit --plot out.svg
  $ fr simulate --nodes 48 --size 1GB --uplink 1Gbit --kill 7@2s
  $ fr simulate --nodes-file nodes.txt --size 30GiB --uplink 1GiB --json
  $ fr simulate --topology wan.yaml --sets sets --nodes 12 --size 1GB --uplink 1Gbit`,
    )
    .action((options) => found(simulateCommand(options)))
}

function parseMs(text: string): number {
  const ms = /^\d{1,6}(?:\.\d{1,6})?$/.test(text) ? Number(text) : Number.NaN
  if (!(ms <= 10_000)) throw new UsageError(`'${text}' is not a number of ms from 0 to 10000`)
  return ms
}

/** `7@2s`: the seventh node after two seconds. Throws UsageError. */
function parseKill(text: string): { node: number; atSeconds: number } {
  const [node = '', time = '', ...more] = text.split('@')
  if (time === '' || more.length > 0)
    throw new UsageError(`'${text}' is not N@TIME; write it like 7@2s`)
  return { node: parseCount(node, 1, limits.simulatedNodes), atSeconds: parseDuration(time) }
}

/** Options that mean something for a push alone. */
function refuseOfPush(options: Values): void {
  const ofPush = [
    ...['strategy', 'shape', 'groupSize', 'siteLink', 'kill', 'model', 'plot'],
    ...['originUplink', 'speedsUnknown'],
  ]
  const one = ofPush.find((name) => options[name] !== undefined)
  if (one === undefined) return
  const name = one.replace(/[A-Z]/, (letter) => `-${letter.toLowerCase()}`)
  throw new UsageError(`--${name} is of a push: it cannot be given with --topology`)
}

function simulateCommand(options: Values): SimulateCommand {
  const { nodes, nodesFile, latency: latencyMs, strategy, shape, groupSize } = options
  const { kill, seed, model, plot } = options
  if ((nodes === undefined) === (nodesFile === undefined))
    throw new UsageError('give either --nodes N or --nodes-file FILE')
  if (options['size'] === 0) throw new UsageError('--size: a file without bytes takes no time')
  if (plot === '') throw new UsageError('--plot is empty')
  const { topology, sets } = options
  if ((topology === undefined) !== (sets === undefined))
    throw new UsageError('--topology and --sets go together')
  if (topology !== undefined) refuseOfPush(options)
  return {
    command: 'simulate',
    bytes: options['size'],
    uplinkBytesPerSecond: options['uplink'],
    ...given({
      downlinkBytesPerSecond: options['downlink'],
      originUplinkBytesPerSecond: options['originUplink'],
    }),
    ...given({ nodes, nodesFile, latencyMs, strategy, shape, groupSize, kill, seed, model, plot }),
    ...given({ topology, sets }),
    ...given({ site: options['site'], siteLinks: options['siteLink'] }),
    speedsKnown: options['speedsUnknown'] !== true,
    json: options['json'] === true,
  }
}
