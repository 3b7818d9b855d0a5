/** `fr publish` and `fr unpublish` on the command line: their options and what they ask for. */
import type { Command as Commander } from 'commander'
import { limits } from '../../base/limits.js'
import { parseDuration } from '../render/units.js'
import { checked, given, keyFileOption, sealOption, type Values } from './options.js'

export interface PublishCommand {
  readonly command: 'publish'
  /** `-` is stdin. */
  readonly path: string
  readonly where: string
  readonly via: string
  readonly allow?: string
  readonly as?: string
  readonly ttlSeconds?: number
  readonly seal?: boolean
  readonly keyFile?: string
  readonly quiet: boolean
  readonly json: boolean
}

export interface UnpublishCommand {
  readonly command: 'unpublish'
  readonly name: string
  readonly via: string
  readonly keyFile?: string
  readonly json: boolean
}

export function addPublish(program: Commander, found: (command: PublishCommand) => void): void {
  program
    .command('publish')
    .description('Hand a file to the nodes that match criteria.')
    .argument('<path>', 'the file, - for stdin')
    .requiredOption('--where <criteria>', 'which nodes are to have it; no others may')
    .requiredOption('--via <host[:port]>', 'a node that may have it: it holds the file first')
    .option(
      '--allow <rights>',
      "who else may, and is sent nothing: 'get CRITERIA'; get: all with the key",
    )
    .option('--as <name>', "name at the nodes (default: the file's own)")
    .option(
      '--ttl <duration>',
      'nodes drop it after that: 90s, 12h (default: never)',
      checked((text) =>
        parseDuration(text, limits.publishTtlMs / 1000, limits.publishTtlMsMax / 1000),
      ),
    )
    .addOption(sealOption())
    .option(...keyFileOption)
    .option('-q, --quiet', 'no progress on stderr')
    .option('--json', 'one JSON object on stdout')
    .addHelpText(
      'after',
      `
The file is sent to one node, and announced from there to all nodes of its
directory: those that match fetch it, from each other. Films and sound are told
by their content: what a player needs first is delivered first. A publication
that was cut off goes on where it was when the same is done again.
Nodes that do not match are refused the file, also when they ask for it.

Examples:
  $ fr publish film.mp4 --where 'region=eu && tier=edge' --via 10.0.0.2
  $ fr publish film.mp4 --where 'disk>=100 && !legacy' --ttl 12h --via 10.0.0.2
  $ fr publish film.mp4 --where tier=edge --allow 'get team=studio' --via 10.0.0.2`,
    )
    .action((path: string, options: Values) => {
      const { where, via, allow, as, ttl: ttlSeconds, seal, keyFile, quiet, json } = options
      const more = given({ allow, as, ttlSeconds, seal, keyFile })
      const shown = { quiet: quiet === true, json: json === true }
      found({ command: 'publish', path, where, via, ...more, ...shown })
    })
}

export function addUnpublish(program: Commander, found: (command: UnpublishCommand) => void): void {
  program
    .command('unpublish')
    .description('Withdraw what was published under a name.')
    .argument('<name>', 'of the file at the nodes')
    .requiredOption('--via <host[:port]>', 'a node that knows of it')
    .option(...keyFileOption)
    .option('--json', 'one JSON object on stdout')
    .addHelpText(
      'after',
      `
Only who has published it can withdraw it. Nodes drop those contents, and keep
what somebody has pushed to them under the same name.

Example:
  $ fr unpublish film.mp4 --via 10.0.0.2`,
    )
    .action((name: string, options: Values) => {
      const { via, keyFile, json } = options
      found({ command: 'unpublish', name, via, ...given({ keyFile }), json: json === true })
    })
}
