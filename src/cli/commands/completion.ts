/** `fr completion` on the command line; what it prints is made of the commands themselves. */
import { Argument, type Command as Commander, type Option } from 'commander'
import { type CommandShape, type OptionShape, type Shell, shells } from '../render/completion.js'

export interface CompletionCommand {
  readonly command: 'completion'
  readonly shell: Shell
  readonly commands: readonly CommandShape[]
}

export function addCompletion(
  program: Commander,
  found: (command: CompletionCommand) => void,
): void {
  program
    .command('completion')
    .description('Print what a shell needs to complete command lines.')
    .addArgument(new Argument('<shell>', 'the shell').choices([...shells]))
    .addHelpText(
      'after',
      `
Examples:
  $ source <(fr completion bash)                        in ~/.bashrc for good
  $ fr completion zsh > ~/.zsh/completions/_fr          a directory of fpath
  $ fr completion fish > ~/.config/fish/completions/fr.fish`,
    )
    .action((shell: Shell) =>
      found({ command: 'completion', shell, commands: program.commands.map(shapeOf) }),
    )
}

function shapeOf(command: Commander): CommandShape {
  const takesFiles = command.registeredArguments.some((argument) => isPath(argument.name()))
  const options = command.options.filter(({ hidden }) => !hidden).flatMap(optionShape)
  return { name: command.name(), description: command.description(), options, takesFiles }
}

function optionShape(option: Option): OptionShape[] {
  const { long, short, description, flags } = option
  if (!long) return []
  const [, metavar = ''] = /[<[]([^>\]]+)[>\]]/.exec(flags) ?? []
  const choices = option.argChoices ?? choicesIn(description, metavar)
  const value = metavar === '' ? 'none' : (choices ?? kindOf(metavar))
  return [{ long, short: short ?? null, description, value }]
}

/** `<text|json>`, and of options that check by themselves: `what it is: one, other`. */
function choicesIn(description: string, metavar: string): readonly string[] | undefined {
  const listed = /: ([a-z0-9-]+(?:, [a-z0-9-]+)+)$/.exec(description)?.[1]?.split(', ')
  if (listed !== undefined) return listed
  const named = metavar.split('|')
  return named.length > 1 && named.every((one) => /^[a-z0-9-]{2,}$/.test(one)) ? named : undefined
}

function kindOf(metavar: string): 'file' | 'directory' | 'text' {
  if (/^dir(?:ectory)?\b/.test(metavar)) return 'directory'
  return isPath(metavar) ? 'file' : 'text'
}

function isPath(name: string): boolean {
  return /^(?:files?|paths?|dir(?:ectory)?)\b/.test(name)
}
