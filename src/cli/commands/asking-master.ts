/** Questions to a master on the command line: what each takes, and what it asks for. */
import { Argument, type Command as Commander } from 'commander'
import { parseAddress } from '../arguments/addresses.js'
import { UsageError } from '../render/units.js'
import { checked, given, keyFileOption, type Values } from './options.js'

interface Asking {
  readonly via: string
  readonly keyFile?: string
  readonly json: boolean
}

export type AskingMasterCommand = Asking &
  (
    | {
        readonly command: 'sets'
        readonly action: 'apply' | 'diff' | 'status'
        /** A document or a directory of them; of `apply` and `diff`. */
        readonly path?: string
        readonly prune: boolean
      }
    | { readonly command: 'plan'; readonly name?: string }
    | { readonly command: 'links' }
    | { readonly command: 'components'; readonly nodes: boolean }
    | { readonly command: 'drain'; readonly node: string; readonly undo: boolean }
    | { readonly command: 'explain'; readonly node: string; readonly name: string }
  )

type Found = (command: AskingMasterCommand) => void

export function viaOption(command: Commander): Commander {
  return command.option(
    '--via <host[:port]>',
    'the master (required)',
    checked((text) => parseAddress(text)),
  )
}

export function addAskingMaster(program: Commander, found: Found): void {
  addSets(program, found)
  asking(
    program,
    'plan',
    'Show what a master has copied now, and which site is to have what from which.',
  )
    .argument('[name]', 'a file (default: all)')
    .addHelpText(
      'after',
      examples('fr plan --via 10.0.0.1', 'fr plan maps/world.bin --via 10.0.0.1'),
    )
    .action((name: string | undefined, options) =>
      found({ command: 'plan', ...askingOf('plan', options), ...given({ name }) }),
    )
  asking(program, 'links', 'Show what each link may carry, carries, and has cost.')
    .addHelpText('after', examples('fr links --via 10.0.0.1'))
    .action((options) => found({ command: 'links', ...askingOf('links', options) }))
  asking(program, 'components', 'Show which nodes, disks and links have failed at a master.')
    .option('--nodes', 'all nodes instead, and what each has')
    .addHelpText('after', examples('fr components --via 10.0.0.1'))
    .action((options) => {
      const nodes = options['nodes'] === true
      found({ command: 'components', ...askingOf('components', options), nodes })
    })
  asking(program, 'drain', 'Have nothing copied from a node or to it, so that it can go.')
    .argument('<node>', 'its name at the master (fr components --nodes)')
    .option('--undo', 'use it again')
    .addHelpText(
      'after',
      examples('fr drain edge-1 --via 10.0.0.1', 'fr drain edge-1 --undo --via 10.0.0.1'),
    )
    .action((node: string, options) => {
      found({
        command: 'drain',
        node,
        ...askingOf('drain', options),
        undo: options['undo'] === true,
      })
    })
  asking(program, 'explain', 'Tell why a node copies a file from whom it does, or why it waits.')
    .argument('<node>', 'its name at the master')
    .argument('<name>', 'the file')
    .addHelpText('after', examples('fr explain edge-1 maps/world.bin --via 10.0.0.1'))
    .action((node: string, name: string, options) =>
      found({ command: 'explain', node, name, ...askingOf('explain', options) }),
    )
}

function addSets(program: Commander, found: Found): void {
  const actions = ['apply', 'diff', 'status'] as const
  const command = program
    .command('sets')
    .description('Give a master sets of files, compare them with its own, see how far they are.')
    .addArgument(new Argument('<action>', 'what to do').choices(actions))
    .argument('[path]', 'a document, or a directory of them (apply, diff)')
  shared(command)
    .option('--prune', 'sets that are not among these go (apply, diff)')
    .addHelpText(
      'after',
      `
Sets take the place of those with their names, at once and all together
(docs/master.md). diff ends with status 3 where there is a difference, status
where a node lacks something.

Examples:
  $ fr sets diff sets --via 10.0.0.1
  $ fr sets apply sets/models.yaml --via 10.0.0.1
  $ fr sets status --via 10.0.0.1`,
    )
    .action((action: (typeof actions)[number], path: string | undefined, options) => {
      const isStatus = action === 'status'
      if (isStatus !== (path === undefined))
        throw new UsageError(
          isStatus ? 'fr sets status takes no path' : `fr sets ${action} needs a path`,
        )
      const prune = options['prune'] === true
      if (isStatus && prune) throw new UsageError('fr sets status takes no --prune')
      const what = { ...askingOf('sets', options), ...given({ path }) }
      found({ command: 'sets', action, prune, ...what })
    })
}

function asking(program: Commander, name: string, description: string): Commander {
  return shared(program.command(name).description(description))
}

function shared(command: Commander): Commander {
  return viaOption(command)
    .option(...keyFileOption)
    .option('--json', 'one JSON object a line on stdout')
}

function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}`
}

function askingOf(name: string, options: Values): Asking {
  const { via, keyFile, json } = options
  if (!via) throw new UsageError(`--via is required (see fr ${name} --help)`)
  return { via, ...given({ keyFile }), json: json === true }
}
