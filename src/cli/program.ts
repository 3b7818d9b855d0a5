/**
 * The command line: argv in, a checked Command (or a text to print, or a usage error) out. Pure but
 * for the version it is given; it opens no file and no socket.
 */
import { Command as Commander, CommanderError, InvalidArgumentError, Option } from 'commander'
import type { PushTarget } from '../api/types.js'
import { limits } from '../limits.js'
import { parseAddress, parseTargets, parseTransfer } from './addresses.js'
import type { Command, LogWish } from './commands.js'
import { logLevels } from './render-text.js'
import { parseCount, parseDuration, parseRate, parseSize, UsageError } from './units.js'

export type Parsed =
  | { readonly kind: 'run'; readonly command: Command }
  /** Help or version, for stdout; exit status 0. */
  | { readonly kind: 'text'; readonly text: string }
  /** For stderr; exit status 2. */
  | { readonly kind: 'usage'; readonly text: string }

const classicUnicast =
  '--strategy classic deals parts to a group of nodes, --shape unicast makes none'

/** Commands and options of the contract that this version refuses by name. */
const laterCommands = ['limit', 'simulate'] as const
const laterPushOptions: readonly (readonly [flags: string, name: string])[] = [
  ['--limit-up <rate>', 'limitUp'],
  ['--handover <kind>', 'handover'],
]

/** `argv` without the interpreter and the script. */
export function parseCommandLine(argv: readonly string[], version: string): Parsed {
  let out = ''
  let error = ''
  let command: Command | undefined
  const program = buildProgram(version, (parsed) => {
    command = parsed
  })
  const streams = {
    writeOut: (text: string) => {
      out += text
    },
    writeErr: (text: string) => {
      error += text
    },
    getOutHasColors: () => false,
    getErrHasColors: () => false,
  }
  for (const each of [program, ...program.commands]) each.configureOutput(streams).exitOverride()
  try {
    program.parse(argv, { from: 'user' })
  } catch (thrown) {
    if (thrown instanceof UsageError) return { kind: 'usage', text: `error: ${thrown.message}\n` }
    if (!(thrown instanceof CommanderError)) throw thrown
    if (thrown.exitCode === 0) return { kind: 'text', text: out }
    return { kind: 'usage', text: error === '' ? `${thrown.message}\n` : error }
  }
  if (command === undefined) return { kind: 'usage', text: error }
  return { kind: 'run', command }
}

/** Lets commander name the option whose value a parse function refuses. */
function checked<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text)
    } catch (error) {
      if (error instanceof UsageError) throw new InvalidArgumentError(`${error.message}.`)
      throw error
    }
  }
}

function buildProgram(version: string, found: (command: Command) => void): Commander {
  const program = new Commander('fr')
    .description('Puts one file on many machines as fast as the network allows.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help; also: fr COMMAND --help')
    .helpCommand(false)
    .showHelpAfterError('(fr --help shows what there is)')
    .addHelpText(
      'after',
      `
Examples:
  $ fr keygen --out fr.key                                  one key for all machines
  $ fr node --listen 10.0.0.2:7400 --data /srv/data --key-file fr.key
  $ fr push model.bin --to 10.0.0.2:7400,10.0.0.3:7400 --key-file fr.key

Exit status: 0 every node complete; 3 some nodes complete, some not; 1 failed; 2 usage;
130 and 143 when stopped by SIGINT and SIGTERM.

Environment: FR_KEY holds the key where no --key-file is given; NO_COLOR, FORCE_COLOR.`,
    )
  addNode(program, found)
  addPush(program, found)
  addStatus(program, found)
  addAdd(program, found)
  addDigest(program, found)
  addKeygen(program, found)
  for (const name of laterCommands) {
    program
      .command(name, { hidden: true })
      .helpOption(false)
      .allowUnknownOption()
      .argument('[anything...]')
      .action(() => refuse(`fr ${name}`))
  }
  for (const command of program.commands) {
    command.showHelpAfterError(`(fr ${command.name()} --help shows what there is)`)
  }
  return program
}

function refuse(what: string): never {
  throw new UsageError(`ERR_FR_UNSUPPORTED: this version does not offer ${what}`)
}

const keyFileOption = [
  '--key-file <file>',
  'key shared by all nodes; otherwise FR_KEY, otherwise loopback only',
] as const

function engineOption(): Option {
  return new Option('--engine <engine>', 'what moves the bytes').choices(['native', 'portable'])
}

function logOptions(command: Commander, level: LogWish['level']): Commander {
  return command
    .addOption(
      new Option('--log-format <format>', 'log lines as key=value or JSON')
        .choices(['text', 'json'])
        .default('text'),
    )
    .addOption(
      new Option('--log-level <level>', 'least level that is logged')
        .choices(logLevels)
        .default(level),
    )
}

function addNode(program: Commander, found: (command: Command) => void): void {
  const command = program
    .command('node')
    .description('Receive, store and pass on files until stopped.')
    .option(
      '--listen <host:port>',
      'address to serve (required); port 0 picks a free one',
      checked((text) => parseAddress(text, 0)),
    )
    .option('--data <dir>', 'directory that received files are stored in (required)')
    .option(...keyFileOption)
    .option('--previous-key-file <file>', 'second key that is accepted while keys are changed')
    .option('--name <name>', 'name of this node in status and logs')
    .option('--mirror', 'this node already holds whole files')
    .addOption(engineOption())
    .option(
      '--keep-partials <duration>',
      'how long unfinished files are kept while there is room (default: 7d)',
      checked((text) => Math.ceil(parseDuration(text))),
    )
    .option('--min-free <size>', 'space that is never filled (default: 64MiB)', checked(parseSize))
    .option('--json', 'say on stdout, as JSON, where it listens')
  logOptions(command, 'info').addHelpText(
    'after',
    `
Examples:
  $ fr node --listen 127.0.0.1:7400 --data /tmp/a
  $ fr node --listen '[::]:7400' --data /srv/data --key-file /etc/fr.key --min-free 10GiB
  $ FR_KEY=$(cat fr.key) fr node --listen 10.0.0.2:0 --data /srv/data --json`,
  )
  command.action((options) => found(nodeCommand(options)))
}

// biome-ignore lint/suspicious/noExplicitAny: what commander collected, typed by the options above
function nodeCommand(options: Record<string, any>): Command {
  // Not commander's requiredOption: it would hide that a flag was mistyped.
  for (const name of ['listen', 'data']) {
    if (!options[name])
      throw new UsageError(`--${name} is required (fr node --help shows what there is)`)
  }
  const { listen, data, keyFile, previousKeyFile, name, engine } = options
  return {
    command: 'node',
    listen,
    dataDir: data,
    ...given({ keyFile, previousKeyFile, name, engine }),
    ...given({ keepPartialsSeconds: options['keepPartials'], minFreeBytes: options['minFree'] }),
    mirror: options['mirror'] === true,
    json: options['json'] === true,
    log: { format: options['logFormat'], level: options['logLevel'] },
  }
}

function addPush(program: Commander, found: (command: Command) => void): void {
  const command = program
    .command('push')
    .description('Put a file on nodes.')
    .argument('<path>', 'the file')
    .addOption(
      new Option('--to <list>', 'HOST:PORT[,HOST:PORT...]; may be given more than once').argParser(
        (text: string, before: string | undefined) =>
          before === undefined ? text : `${before},${text}`,
      ),
    )
    .option('--nodes <file>', 'file with one HOST:PORT a line, # comments, uplink= downlink= site=')
    .option('--as <name>', 'name at the nodes (default: the name of the file)')
    .option(...keyFileOption)
    .addOption(
      new Option('--strategy <strategy>', 'how the file is dealt out').choices([
        'adaptive',
        'classic',
      ]),
    )
    .addOption(
      new Option('--shape <shape>', 'who feeds whom').choices([
        'auto',
        'unicast',
        'group',
        'chain',
        'tree',
        'binomial',
      ]),
    )
    .option(
      '--group-size <k>',
      'nodes of one group',
      checked((text) => parseCount(text, 1, limits.nodesPerPush)),
    )
    .addOption(
      new Option('--digest <algorithm>', 'how blocks are verified').choices(['xxh64', 'sha256']),
    )
    .addOption(engineOption())
    .option('--no-clobber', 'refuse nodes that already hold the name')
    .option(
      '--uplink <rate>',
      'uplink of this machine, for the predicted time, the bound and the first second',
      checked(parseRate),
    )
    .option(
      '--connect-timeout <duration>',
      'how long to wait for a connection (default: 3s)',
      checked((text) => Math.ceil(parseDuration(text, 0.001, 600) * 1000)),
    )
    .option('--trace <file>', 'write a timeline for a trace viewer (Chrome trace format)')
    .option('--dry-run', 'print the plan, send nothing')
    .option('--json', 'one JSON object a line on stdout: plan, progress, node, result')
  for (const [flags] of laterPushOptions) command.addOption(new Option(flags).hideHelp())
  logOptions(command, 'warn').addHelpText(
    'after',
    `
Examples:
  $ fr push model.bin --to 10.0.0.2:7400,10.0.0.3:7400 --key-file fr.key
  $ fr push model.bin --nodes nodes.txt --as models/v2.bin --digest sha256
  $ fr push model.bin --nodes nodes.txt --uplink 10Gbit --dry-run
  $ fr push model.bin --nodes nodes.txt --json | jq 'select(.event == "result").efficiency'`,
  )
  command.action((path: string, options) => found(pushCommand(path, options)))
}

// biome-ignore lint/suspicious/noExplicitAny: what commander collected, typed by the options above
function pushCommand(path: string, options: Record<string, any>): Command {
  const { to, nodes, as, keyFile, strategy, shape, groupSize, digest, engine } = options
  for (const [flags, name] of laterPushOptions) {
    if (options[name] !== undefined) refuse(`fr push ${flags.replace(/ .*/, '')}`)
  }
  if ((to === undefined) === (nodes === undefined)) {
    throw new UsageError('give either --to HOST:PORT[,HOST:PORT...] or --nodes FILE')
  }
  if (path === '') throw new UsageError('PATH is empty')
  if (strategy === 'classic' && shape === 'unicast') throw new UsageError(classicUnicast)
  if (options['trace'] === '') throw new UsageError('--trace is empty')
  if (options['trace'] !== undefined && options['dryRun'] === true)
    throw new UsageError('--trace shows what a push did, and with --dry-run nothing is done')
  if (as === '') throw new UsageError('--as is empty')
  let targets: PushTarget[] | undefined
  if (to !== undefined) {
    try {
      targets = parseTargets(to)
    } catch (error) {
      if (error instanceof UsageError) throw new UsageError(`--to: ${error.message}`)
      throw error
    }
  }
  return {
    command: 'push',
    path,
    ...given({
      to: targets,
      nodesFile: nodes,
      as,
      keyFile,
      strategy,
      shape,
      groupSize,
      digest,
      engine,
    }),
    ...given({
      uplinkBytesPerSecond: options['uplink'],
      connectMs: options['connectTimeout'],
      trace: options['trace'],
    }),
    noClobber: options['clobber'] === false,
    dryRun: options['dryRun'] === true,
    json: options['json'] === true,
    log: { format: options['logFormat'], level: options['logLevel'] },
  }
}

/** The same without the members that are undefined. */
function given<T extends object>(values: T): { [Key in keyof T]?: NonNullable<T[Key]> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [Key in keyof T]?: NonNullable<T[Key]>
  }
}

function addStatus(program: Commander, found: (command: Command) => void): void {
  program
    .command('status')
    .description('Show what a node is doing.')
    .argument(
      '<host:port>',
      'the node',
      checked((text) => parseAddress(text)),
    )
    .option(...keyFileOption)
    .option('--json', 'one JSON object on stdout')
    .addHelpText(
      'after',
      `
Examples:
  $ fr status 10.0.0.2:7400 --key-file fr.key
  $ fr status 10.0.0.2:7400 --json | jq .freeBytes`,
    )
    .action((address: string, options) => found(statusCommand(address, options)))
}

// biome-ignore lint/suspicious/noExplicitAny: what commander collected, typed by the options above
function statusCommand(address: string, options: Record<string, any>): Command {
  const keyFile = given({ keyFile: options['keyFile'] })
  return { command: 'status', address, ...keyFile, json: options['json'] === true }
}

function addAdd(program: Commander, found: (command: Command) => void): void {
  program
    .command('add')
    .description('Add a node to a push that is running.')
    .argument('<transfer>', 'its id, as fr status shows it', checked(parseTransfer))
    .argument(
      '<host:port>',
      'the node to add',
      checked((text) => parseAddress(text)),
    )
    .option(
      '--via <host:port>',
      'a node that takes part in the transfer (required)',
      checked((text) => parseAddress(text)),
    )
    .option(...keyFileOption)
    .option('--json', 'one JSON object on stdout')
    .addHelpText(
      'after',
      `
Returns when the node takes part, or could not be had. Its outcome is in the result of the push.

Examples:
  $ fr status 10.0.0.2:7400 --json | jq -r '.transfers[].transfer'
  $ fr add 0123456789abcdef0123456789abcdef 10.0.0.9:7400 --via 10.0.0.2:7400 --key-file fr.key`,
    )
    .action((transfer: string, address: string, options) =>
      found(addCommand(transfer, address, options)),
    )
}

// biome-ignore lint/suspicious/noExplicitAny: what commander collected, typed by the options above
function addCommand(transfer: string, address: string, options: Record<string, any>): Command {
  const via = options['via']
  if (!via) throw new UsageError('--via is required (fr add --help shows what there is)')
  const keyFile = given({ keyFile: options['keyFile'] })
  return { command: 'add', transfer, address, via, ...keyFile, json: options['json'] === true }
}

function addDigest(program: Commander, found: (command: Command) => void): void {
  program
    .command('digest')
    .description('Print the digest of a file, as nodes report it.')
    .argument('<file>', 'the file')
    .addOption(
      new Option('--digest <algorithm>', 'how blocks are digested').choices(['xxh64', 'sha256']),
    )
    .addHelpText(
      'after',
      `
Examples:
  $ fr digest model.bin
  $ fr digest model.bin --digest sha256`,
    )
    .action((path: string, options) => found({ command: 'digest', path, ...options }))
}

function addKeygen(program: Commander, found: (command: Command) => void): void {
  program
    .command('keygen')
    .description('Make a new key.')
    .option(
      '--out <file>',
      'write it there, readable by the owner alone, never over an existing file',
    )
    .addHelpText(
      'after',
      `
Examples:
  $ fr keygen --out fr.key
  $ export FR_KEY=$(fr keygen)`,
    )
    .action((options) => found({ command: 'keygen', ...options }))
}
