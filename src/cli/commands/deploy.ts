/** `fr deploy` on the command line: its options and what they ask for. */
import type { Command as Commander } from 'commander'
import { limits } from '../../base/limits.js'
import { parseAddress } from '../arguments/addresses.js'
import { UsageError } from '../render/units.js'
import { given, type Values } from './options.js'

export interface DeployHost {
  /** For ssh: `host` or `user@host`. */
  readonly destination: string
  /** Of the node. */
  readonly port: number
}

export interface DeployCommand {
  readonly command: 'deploy'
  readonly hosts: readonly DeployHost[]
  readonly nodeArgs: readonly string[]
  readonly keyFile?: string
  readonly data?: string
  readonly dir: string
  readonly ssh: readonly string[]
  readonly withNode: boolean
  readonly stop: boolean
  readonly json: boolean
}

export function addDeploy(program: Commander, found: (command: DeployCommand) => void): void {
  program
    .command('deploy')
    .description('Copy this package to machines over ssh, and start nodes there.')
    .argument('<machine[,...]>', '[user@]host[:port], as ssh knows it; the port is of the node')
    .argument('[args...]', 'after --: further options of fr node')
    .option('--key-file <file>', 'key that is copied there (fr keygen); else FR_KEY')
    .option('--data <dir>', 'what the nodes hold, an absolute path; default: DIR/PORT/data')
    .option('--dir <dir>', 'where everything is put', '.local/share/fastreplica')
    .option('--ssh <command>', 'ssh and options of it', 'ssh')
    .option('--with-node', 'take this Node along, for machines of the same kind without one')
    .option('--stop', 'end the nodes that were started so')
    .option('--json', 'one JSON object on stdout for each machine')
    .addHelpText(
      'after',
      `
It needs no more rights than the user has there, asks for no password, and may
be repeated: what is there already is not sent again, and a node that runs is
replaced. The nodes run until they are ended or the machine is; for what is to
last there is examples/fastreplica-node.service.

Exit status: 0 all machines, 3 some, 1 none.

Examples:
  $ fr deploy 10.0.0.2,10.0.0.3 --key-file fr.key
  $ fr deploy ops@a.lan:7401 --key-file fr.key --with-node -- --attr site=ams
  $ fr deploy 10.0.0.2,10.0.0.3 --stop`,
    )
    .action((list: string, nodeArgs: string[], options: Values) =>
      found(deployCommand(list, nodeArgs, options)),
    )
}

function deployCommand(list: string, nodeArgs: readonly string[], options: Values): DeployCommand {
  const { keyFile, data, dir, withNode, stop, json } = options
  const ssh = String(options['ssh'])
    .split(' ')
    .filter((word) => word !== '')
  if (ssh.length === 0) throw new UsageError('--ssh is empty')
  if (data !== undefined && !String(data).startsWith('/'))
    throw new UsageError('--data is an absolute path')
  if (stop === true && nodeArgs.length > 0)
    throw new UsageError('--stop starts nothing that could have options')
  const hosts = list.split(',').map((text) => hostOf(text.trim()))
  const names = new Set(hosts.map(({ destination, port }) => `${destination}:${port}`))
  if (names.size < hosts.length) throw new UsageError('a machine is named twice')
  return {
    ...{ command: 'deploy', hosts, nodeArgs, ssh, dir },
    ...given({ keyFile: keyFile as string | undefined, data: data as string | undefined }),
    ...{ withNode: withNode === true, stop: stop === true, json: json === true },
  }
}

/** Throws UsageError. */
function hostOf(text: string): DeployHost {
  const [, user, rest = ''] = /^(?:([A-Za-z0-9_][A-Za-z0-9_.-]*)@)?(.*)$/.exec(text) ?? []
  const address = parseAddress(rest)
  const colon = address.lastIndexOf(':')
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '')
  const port = Number(address.slice(colon + 1)) || limits.defaultPort
  return { destination: user === undefined ? host : `${user}@${host}`, port }
}
