/**
 * The command line: argv in, a checked Command (or text to print, or a usage error) out. Pure
 * except for the version it is given; it opens no file and no socket.
 */
import { Command as Commander } from 'commander'
import type { TlsOptions } from '../api/types.js'
import { limits } from '../base/limits.js'
import { type ParsedText, parseWith } from './arguments/parse.js'
import { addTls, tlsOf } from './arguments/tls.js'
import { type AddCommand, addAdd } from './commands/add.js'
import { type AskingMasterCommand, addAskingMaster } from './commands/asking-master.js'
import { type AttrCommand, addAttr } from './commands/attr.js'
import { addCa, type CaCommand } from './commands/ca.js'
import { addCompletion, type CompletionCommand } from './commands/completion.js'
import { addCopy, type CopyCommand } from './commands/copy.js'
import { addDeploy, type DeployCommand } from './commands/deploy.js'
import { addDigest, type DigestCommand } from './commands/digest.js'
import { addDisks, type DisksCommand } from './commands/disks.js'
import { addGet, type GetCommand } from './commands/get.js'
import { addId, type IdCommand } from './commands/id.js'
import { addKeygen, type KeygenCommand } from './commands/keygen.js'
import { addLimit, type LimitCommand } from './commands/limit.js'
import { addLs, type LsCommand } from './commands/ls.js'
import { addMaster, type MasterCommand } from './commands/master.js'
import { addNode, type NodeCommand } from './commands/node.js'
import {
  addPublish,
  addUnpublish,
  type PublishCommand,
  type UnpublishCommand,
} from './commands/publish.js'
import { addPush, type PushCommand } from './commands/push.js'
import { addRm, type RmCommand } from './commands/rm.js'
import { addRollback, type RollbackCommand } from './commands/rollback.js'
import { addSimulate, type SimulateCommand } from './commands/simulate.js'
import { addStatus, type StatusCommand } from './commands/status.js'
import { addToken, type TokenCommand } from './commands/token.js'
import { addTop, type TopCommand } from './commands/top.js'
import { addVerify, type VerifyCommand } from './commands/verify.js'
import { addVersions, type VersionsCommand } from './commands/versions.js'
import { addWait, type WaitCommand } from './commands/wait.js'
import { addWhere, type WhereCommand } from './commands/where.js'

/** A parsed command line: everything checked, in base units. */
export type Command = { readonly tls?: TlsOptions } & (
  | NodeCommand
  | MasterCommand
  | AskingMasterCommand
  | PushCommand
  | WhereCommand
  | PublishCommand
  | UnpublishCommand
  | CopyCommand
  | WaitCommand
  | StatusCommand
  | TopCommand
  | AddCommand
  | LimitCommand
  | AttrCommand
  | GetCommand
  | LsCommand
  | DisksCommand
  | RmCommand
  | VerifyCommand
  | VersionsCommand
  | RollbackCommand
  | SimulateCommand
  | DigestCommand
  | KeygenCommand
  | TokenCommand
  | IdCommand
  | CaCommand
  | CompletionCommand
  | DeployCommand
)

export type Parsed = { readonly kind: 'run'; readonly command: Command } | ParsedText

/** `argv` without the interpreter and the script. */
export function parseCommandLine(argv: readonly string[], version: string): Parsed {
  let command: Command | undefined
  let tls: TlsOptions | undefined
  const program = buildProgram(version, (parsed) => {
    command = tls === undefined ? parsed : { ...parsed, tls }
  })
  program.hook('preAction', (_, action) => {
    tls = tlsOf(action.opts())
  })
  const text = parseWith(program, helpFirst(argv, program))
  return command === undefined ? text : { kind: 'run', command }
}

/** `fr help push` is `fr push --help`; an unknown command is reported before any help. */
function helpFirst(argv: readonly string[], program: Commander): readonly string[] {
  const [first, second] = argv
  if (first === 'help') {
    return second === undefined ? ['--help'] : helpFirst([second, '--help'], program)
  }
  const isKnown = program.commands.some((command) => command.name() === first)
  return first === undefined || first.startsWith('-') || isKnown ? argv : [first]
}

function buildProgram(version: string, found: (command: Command) => void): Commander {
  const program = new Commander('fr')
    .description('Puts one file on many machines as fast as the network allows.')
    .version(version, '-v, --version', 'print the version')
    .helpOption('-h, --help', 'print help; also: fr help COMMAND')
    .helpCommand(false)
    .configureHelp({
      // Options of a command are in its own help.
      subcommandTerm: (command) =>
        `${command.name()}${command.usage().replace('[options]', '')}`.trimEnd(),
    })
    .showHelpAfterError('(see fr --help)')
    .addHelpText(
      'after',
      `
Examples:
  $ fr keygen --out fr.key                           one key for all machines
  $ fr node --listen 10.0.0.2 --data /srv/data --key-file fr.key
  $ fr push model.bin --to 10.0.0.2,10.0.0.3 --key-file fr.key

HOST[:PORT] is a name, 10.0.0.2 or [::1]; the port is ${limits.defaultPort} if none is given.
Where several may be given, dns:NAME[:PORT] is all nodes of its SRV records
(_fr._tcp.NAME), else of its addresses.

Exit status: 0 every node complete; 3 some nodes complete, some not; 1 failed;
2 usage; 130 and 143 when stopped by SIGINT and SIGTERM.

Environment: FR_KEY holds the key if no --key-file is given; NO_COLOR,
FORCE_COLOR.`,
    )
  addNode(program, found)
  addMaster(program, found)
  addAskingMaster(program, found)
  addWhere(program, found)
  addPush(program, found)
  addPublish(program, found)
  addUnpublish(program, found)
  addCopy(program, found)
  addWait(program, found)
  addStatus(program, found)
  addTop(program, found)
  addAdd(program, found)
  addLimit(program, found)
  addAttr(program, found)
  addGet(program, found)
  addLs(program, found)
  addDisks(program, found)
  addRm(program, found)
  addVerify(program, found)
  addVersions(program, found)
  addRollback(program, found)
  addSimulate(program, found)
  addDigest(program, found)
  addKeygen(program, found)
  addToken(program, found)
  addId(program, found)
  addCa(program, found)
  addDeploy(program, found)
  addCompletion(program, found)
  for (const command of program.commands) {
    addTls(command)
    command.showHelpAfterError(`(see fr ${command.name()} --help)`)
  }
  return program
}
