/** The command line of `fr-bench`: argv in, a checked request out. Pure; knows no suite by name. */
import { Command as Commander, Option } from 'commander'
import { type ParsedText, parseWith } from '../arguments/parse.js'
import { parseCount, UsageError } from '../render/units.js'
import { checked, given, type Values } from './options.js'

export interface BenchRequest {
  readonly suites: readonly string[]
  readonly json: boolean
  /** Directory whose RESULTS.md the reports are appended to. */
  readonly out?: string
  /** Small sizes and few rounds: whether the benches work, not how fast anything is. */
  readonly quick: boolean
  /** Of the lab: nodes that have just been started, not daemons that have served before. */
  readonly cold: boolean
  readonly rounds?: number
  readonly scenarios?: readonly string[]
  readonly queues?: readonly string[]
  readonly strategies?: readonly string[]
  /** Of the lab's namespaces; `system` leaves the machine's. */
  readonly congestion?: string
  /** Other systems to measure in the same scenarios; empty never occurs. */
  readonly peers?: readonly string[]
  /** Outputs of earlier runs with `json`, whose runs are taken instead of measuring. */
  readonly from?: readonly string[]
}

export interface SuiteName {
  readonly name: string
  readonly about: string
}

const roundsMax = 100
const queueNames = ['fifo', 'fair']
const strategyNames = ['classic', 'adaptive', 'unicast']
const peerNames = ['mbuffer', 'rsync', 'nginx', 'uftp', 'aria2']

/** Reads a list of names, each once; of known ones, where those are given. */
function listOf(known?: readonly string[]): (text: string) => string[] {
  return checked((text) => {
    const items = text.split(',').filter((item) => item !== '')
    if (items.length === 0) throw new UsageError('it is empty')
    const unknown = items.find((item) => known !== undefined && !known.includes(item))
    if (unknown !== undefined) {
      throw new UsageError(`'${unknown}' is not one of ${known?.join(', ')}`)
    }
    return [...new Set(items)]
  })
}

const readText = checked((text: string) => {
  if (text === '') throw new UsageError('it is empty')
  return text
})

/** `argv` without the interpreter and the script. */
export function parseBenchArguments(
  argv: readonly string[],
  suites: readonly SuiteName[],
): { readonly kind: 'run'; readonly request: BenchRequest } | ParsedText {
  const program = new Commander('fr-bench')
    .description('Measures what fr does on this machine.')
    .argument('<suite...>', 'what to measure')
    .option('--json', 'one JSON object per suite on stdout')
    .option('--out <dir>', 'append the tables to DIR/RESULTS.md', readText)
    .option('--quick', 'small sizes: shows that the benches work, not how fast anything is')
    .option('--cold', 'lan, lab: nodes that have served nothing yet')
    .option(
      '--rounds <n>',
      'counted rounds of each suite',
      checked((text) => parseCount(text, 1, roundsMax)),
    )
    .option('--scenario <list>', 'lab: which of its rows', listOf())
    .option(
      '--queue <list>',
      'lan, lab: fifo (one queue per uplink), fair (one per destination); ' +
        'otherwise what the wanted values are for',
      listOf(queueNames),
    )
    .option(
      '--strategy <list>',
      `loopback, lan, lab: ${strategyNames.join(', ')}; otherwise what fr push does by itself`,
      listOf(strategyNames),
    )
    .option(
      '--congestion <name>',
      "lan, lab: TCP congestion control of the hosts (cubic); system: the machine's",
      readText,
    )
    .addOption(
      new Option(
        '--peers <list>',
        `lan, lab: other systems in the same network: ${peerNames.join(', ')}, or all`,
      ).argParser((text) => (text === 'all' ? peerNames : listOf(peerNames)(text))),
    )
    .option(
      '--from <list>',
      'lan, lab: tables of the runs in these outputs of --json, all together',
      listOf(),
    )
    .helpOption('-h, --help', 'print help')
    .showHelpAfterError('(fr-bench --help shows what there is)')
    .addHelpText('after', helpOf(suites))
  let request: BenchRequest | undefined
  program.action((names: string[], options: Values) => {
    request = requestOf(names, options, suites)
  })
  const text = parseWith(program, argv)
  return request === undefined ? text : { kind: 'run', request }
}

function requestOf(
  names: readonly string[],
  options: Values,
  suites: readonly SuiteName[],
): BenchRequest {
  const known = suites.map((suite) => suite.name)
  const unknown = names.find((name) => !known.includes(name))
  if (unknown !== undefined) {
    throw new UsageError(`there is no suite '${unknown}'; there are ${known.join(', ')}`)
  }
  const { json, quick, cold, out, rounds, scenario, queue, strategy, congestion, peers, from } =
    options
  return {
    suites: [...new Set(names)],
    json: json === true,
    quick: quick === true,
    cold: cold === true,
    ...given({ out, rounds, congestion, peers, from }),
    ...given({ scenarios: scenario, queues: queue, strategies: strategy }),
  }
}

function helpOf(suites: readonly SuiteName[]): string {
  const width = Math.max(...suites.map((suite) => suite.name.length))
  const list = suites.map((suite) => `  ${suite.name.padEnd(width)}  ${suite.about}`)
  return `
Suites (those of the repository are not in the published package):
${list.join('\n')}

Examples:
  $ fr-bench loopback
  $ fr-bench small memory --json
  $ sudo fr-bench lan --queue fifo --rounds 5
  $ sudo fr-bench lab --scenario lan8,hetero8 --strategy adaptive,classic --peers all --out bench

Exit status: 0; 1 a suite failed; 2 usage, or a suite cannot run on this machine.`
}
