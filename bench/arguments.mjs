/** The command line of `fr-bench`: argv in, a checked request out. It contains no suite names. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'

const roundsMax = 100
const queueNames = ['fifo', 'fair']
const strategyNames = ['classic', 'adaptive', 'unicast']
const peerNames = ['mbuffer', 'rsync', 'nginx', 'uftp', 'aria2']
/** Help fits the narrowest usual terminal, whatever the width of this one. */
const helpColumns = 80

function readText(text) {
  if (text === '') throw new InvalidArgumentError('it is empty.')
  return text
}

/** Reads a list of distinct names; with `known` only those are allowed. */
const listOf = (known) => (text) => {
  const items = text.split(',').filter((item) => item !== '')
  if (items.length === 0) throw new InvalidArgumentError('it is empty.')
  const unknown = items.find((item) => known !== undefined && !known.includes(item))
  if (unknown !== undefined) {
    throw new InvalidArgumentError(`'${unknown}' is not one of ${known.join(', ')}.`)
  }
  return [...new Set(items)]
}

function readRounds(text) {
  const rounds = /^\d{1,4}$/.test(text) ? Number(text) : 0
  if (rounds >= 1 && rounds <= roundsMax) return rounds
  throw new InvalidArgumentError(`it is not a whole number from 1 to ${roundsMax}.`)
}

/**
 * `argv` without the interpreter and the script. Resolves to what was asked for (names of options
 * as bench/run.mjs and its suites know them), or to the text to print instead: help for stdout,
 * exit status 0, or a usage error for stderr, exit status 2.
 * @param {readonly string[]} argv
 * @param {readonly { name: string, about: string }[]} suites
 * @returns {{ kind: 'run', request: Record<string, unknown> } |
 *   { kind: 'text' | 'usage', text: string }}
 */
export function parseBenchArguments(argv, suites) {
  let text = ''
  const write = (part) => {
    text += part
  }
  const program = programOf(suites)
    .exitOverride()
    .configureOutput({
      writeOut: write,
      writeErr: write,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
      getOutHelpWidth: () => helpColumns,
      getErrHelpWidth: () => helpColumns,
    })
  try {
    program.parse(argv, { from: 'user' })
    return { kind: 'run', request: requestOf(program, suites) }
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown
    return { kind: thrown.exitCode === 0 ? 'text' : 'usage', text }
  }
}

function programOf(suites) {
  return new Command('fr-bench')
    .description('Measures what fr does on this machine.')
    .argument('<suite...>', 'what to measure')
    .option('--json', 'one JSON object per suite on stdout')
    .option('--out <dir>', 'write the tables into DIR/RESULTS.md', readText)
    .option('--quick', 'small sizes: shows that the benches work, not how fast anything is')
    .option('--nodes <file>', 'net, lan: real machines, as fr push --nodes names them', readText)
    .option('--key-file <file>', 'net, lan: the key of these nodes; else FR_KEY', readText)
    .option('--dir <dir>', 'disk: where; by default memory or the temporary directory', readText)
    .option('--served', 'lan, lab: nodes that have served a small push before')
    .option('--rounds <n>', 'counted rounds of each suite', readRounds)
    .option('--scenario <list>', 'fast, lab: which of their rows', listOf())
    .option(
      '--queue <list>',
      'lan, lab: fifo (one queue per uplink), fair (one per destination); ' +
        'by default those with target values',
      listOf(queueNames),
    )
    .option(
      '--strategy <list>',
      `loopback, lan, lab: ${strategyNames.join(', ')}; by default the choice of fr push`,
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
    .showHelpAfterError('(see fr-bench --help)')
    .addHelpText('after', helpOf(suites))
}

function requestOf(program, suites) {
  const known = suites.map((suite) => suite.name)
  const unknown = program.args.find((name) => !known.includes(name))
  if (unknown !== undefined) {
    program.error(`error: no suite '${unknown}'; known are ${known.join(', ')}`)
  }
  const { scenario: scenarios, queue: queues, strategy: strategies, ...rest } = program.opts()
  const { nodes: nodesFile, ...options } = rest
  const request = {
    json: false,
    quick: false,
    served: false,
    ...options,
    suites: [...new Set(program.args)],
    ...{ scenarios, queues, strategies, nodesFile },
  }
  return Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined))
}

function helpOf(suites) {
  const width = Math.max(...suites.map((suite) => suite.name.length))
  const list = suites.map((suite) => `  ${suite.name.padEnd(width)}  ${suite.about}`)
  return `
Suites (those of the repository are not in the published package):
${list.join('\n')}

Examples:
  $ fr-bench loopback
  $ fr-bench small memory --json
  $ fr-bench disk --dir /srv/data
  $ fr-bench net lan --nodes nodes.txt --key-file fr.key
  $ sudo fr-bench fast --scenario unshaped4,lan8 --out bench
  $ sudo fr-bench lan --queue fifo --rounds 5
  $ sudo fr-bench lab --scenario lan8,hetero8 --strategy adaptive,classic --peers all --out bench

Exit status: 0; 1 a suite failed; 2 usage, or a suite cannot run on this machine.`
}
