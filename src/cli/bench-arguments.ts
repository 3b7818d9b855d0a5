/** The command line of `fr-bench`: argv in, a checked request out. Pure; knows no suite by name. */
import { parseArgs } from 'node:util'

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

/** What was wrong, in a sentence that names the argument. Exit status 2. */
export class BenchUsageError extends Error {}

const maxRounds = 100
const queueNames = ['fifo', 'fair']
const strategyNames = ['classic', 'adaptive', 'unicast']
const peerNames = ['mbuffer', 'rsync', 'nginx', 'uftp', 'aria2']

const options = {
  json: { type: 'boolean', default: false },
  out: { type: 'string' },
  quick: { type: 'boolean', default: false },
  cold: { type: 'boolean', default: false },
  rounds: { type: 'string' },
  scenario: { type: 'string' },
  queue: { type: 'string' },
  strategy: { type: 'string' },
  congestion: { type: 'string' },
  peers: { type: 'string' },
  from: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const

export function usageText(
  suites: readonly { readonly name: string; readonly about: string }[],
): string {
  const width = Math.max(...suites.map((suite) => suite.name.length))
  const list = suites.map((suite) => `  ${suite.name.padEnd(width)}  ${suite.about}`)
  return `Usage: fr-bench SUITE... [--json] [--out DIR] [--quick]

Suites:
${list.join('\n')}

Options:
  --json              one JSON object per suite on stdout
  --out DIR           append the tables to DIR/RESULTS.md
  --quick             small sizes: shows that the benches work, not how fast anything is
  --cold              lan, lab: nodes that have served nothing yet
  --rounds N          counted rounds of each suite
  --scenario LIST     lab: which of its rows
  --queue LIST        lan, lab: fifo (one queue per uplink), fair (one per destination);
                      otherwise what the wanted values are for
  --strategy LIST     loopback, lan, lab: ${strategyNames.join(', ')};
                      otherwise what fr push does by itself
  --congestion NAME   lan, lab: TCP congestion control of the hosts (cubic); system: the machine's
  --peers LIST        lan, lab: other systems in the same network: ${peerNames.join(', ')}, or all
  --from LIST         lan, lab: tables of the runs in these outputs of --json, all together
  -h, --help          print this

Examples:
  $ fr-bench loopback
  $ sudo fr-bench lan --queue fifo --rounds 5
  $ sudo fr-bench lab
  $ sudo fr-bench lab --scenario lan8,hetero8 --strategy adaptive,classic --peers all --out bench

Exit status: 0; 1 a suite failed; 2 usage, or a suite cannot run on this machine.
`
}

function list(name: string, text: string | undefined, known?: readonly string[]) {
  if (text === undefined) return undefined
  const items = text.split(',').filter((item) => item !== '')
  if (items.length === 0) throw new BenchUsageError(`--${name} is empty`)
  const unknown = items.find((item) => known !== undefined && !known.includes(item))
  if (unknown !== undefined) {
    throw new BenchUsageError(`--${name}: '${unknown}' is not one of ${known?.join(', ')}`)
  }
  return [...new Set(items)]
}

function rounds(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < 1 || value > maxRounds) {
    throw new BenchUsageError(`--rounds: '${text}' is not a number from 1 to ${maxRounds}`)
  }
  return value
}

/** `argv` without interpreter and script. Throws BenchUsageError. */
export function parseBenchArguments(
  argv: readonly string[],
  suites: readonly string[],
): BenchRequest | 'help' {
  let parsed: ReturnType<typeof parse>
  try {
    parsed = parse(argv)
  } catch (error) {
    throw new BenchUsageError((error as Error).message)
  }
  const { values, positionals } = parsed
  if (values.help) return 'help'
  if (positionals.length === 0) throw new BenchUsageError(`which suite? ${suites.join(', ')}`)
  const unknown = positionals.find((name) => !suites.includes(name))
  if (unknown !== undefined) {
    throw new BenchUsageError(`there is no suite '${unknown}'; there are ${suites.join(', ')}`)
  }
  if (values.out === '') throw new BenchUsageError('--out is empty')
  const peers = values.peers === 'all' ? peerNames : list('peers', values.peers, peerNames)
  const given = {
    out: values.out,
    rounds: rounds(values.rounds),
    scenarios: list('scenario', values.scenario),
    queues: list('queue', values.queue, queueNames),
    strategies: list('strategy', values.strategy, strategyNames),
    congestion: list('congestion', values.congestion)?.[0],
    peers,
    from: list('from', values.from),
  }
  const present = Object.entries(given).filter(([, value]) => value !== undefined)
  return {
    suites: [...new Set(positionals)],
    json: values.json,
    quick: values.quick,
    cold: values.cold,
    ...(Object.fromEntries(present) as Partial<BenchRequest>),
  }
}

function parse(argv: readonly string[]) {
  return parseArgs({ args: [...argv], options, allowPositionals: true, strict: true })
}
