/** Scripts by which shells complete command lines of `fr`. Pure string building. */

import { shellQuoted } from './text.js'

export const shells = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof shells)[number]

export interface OptionShape {
  /** `--key-file`. */
  readonly long: string
  /** `-h`; null: there is none. */
  readonly short: string | null
  readonly description: string
  /** What is written after it. */
  readonly value: 'none' | 'file' | 'directory' | 'text' | readonly string[]
}

export interface CommandShape {
  readonly name: string
  readonly description: string
  readonly options: readonly OptionShape[]
  /** Files may follow that are no value of an option. */
  readonly takesFiles: boolean
}

export function completionScript(shell: Shell, commands: readonly CommandShape[]): string {
  if (shell === 'bash') return bash(commands)
  return shell === 'zsh' ? zsh(commands) : fish(commands)
}

const namesOf = ({ long, short }: OptionShape): string[] => [long, ...(short ? [short] : [])]

function bash(commands: readonly CommandShape[]): string {
  const cases = commands.map(({ name, options, takesFiles }) => {
    const withValue = options.filter(({ value }) => value !== 'none')
    const values = withValue.map((option) => {
      const found = valueInBash(option.value)
      return `        ${namesOf(option).join('|')}) ${found}; return ;;`
    })
    const words = options.flatMap(namesOf).join(' ')
    const rest = takesFiles ? `COMPREPLY=($(compgen -f -- "$word"))` : ':'
    return [
      `    ${name})`,
      '      case "$before" in',
      ...values,
      '      esac',
      `      if [[ $word == -* ]]; then COMPREPLY=($(compgen -W ${shellQuoted(words)} -- "$word"))`,
      `      else ${rest}; fi ;;`,
    ].join('\n')
  })
  const names = commands.map(({ name }) => name).join(' ')
  return `# bash completion of fr: source <(fr completion bash)
_fr() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]}
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W ${shellQuoted(`${names} help --help --version`)} -- "$word"))
    return
  fi
  if [[ \${COMP_WORDS[1]} == help ]]; then
    COMPREPLY=($(compgen -W ${shellQuoted(names)} -- "$word"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
  esac
}
complete -o filenames -F _fr fr
`
}

function valueInBash(value: OptionShape['value']): string {
  if (value === 'file') return 'COMPREPLY=($(compgen -f -- "$word"))'
  if (value === 'directory') return 'COMPREPLY=($(compgen -d -- "$word"))'
  if (value === 'text' || value === 'none') return ':'
  return `COMPREPLY=($(compgen -W ${shellQuoted(value.join(' '))} -- "$word"))`
}

/** In specifications of _arguments a colon and brackets have a meaning. */
const plainZsh = (text: string): string => text.replace(/[[\]:\\]/g, (mark) => `\\${mark}`)

function zsh(commands: readonly CommandShape[]): string {
  const names = commands.map(({ name, description }) =>
    shellQuoted(`${name}:${description.replaceAll(':', '\\:')}`),
  )
  const cases = commands.map(({ name, options, takesFiles }) => {
    const specs = options.flatMap((option) =>
      namesOf(option).map((flag) =>
        shellQuoted(`*${flag}[${plainZsh(option.description)}]${valueInZsh(option.value)}`),
      ),
    )
    const rest = shellQuoted(takesFiles ? '*:file:_files' : '*: :')
    return `    ${name}) _arguments ${[...specs, rest].join(' \\\n      ')} ;;`
  })
  return `#compdef fr
# zsh completion of fr: fr completion zsh > a directory of \\$fpath/_fr
_fr() {
  local -a commands=(
    ${names.join('\n    ')}
  )
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  if [[ $words[2] == help ]]; then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
${cases.join('\n')}
  esac
}
if [[ $funcstack[1] == _fr ]]; then _fr "$@"; else compdef _fr fr; fi
`
}

function valueInZsh(value: OptionShape['value']): string {
  if (value === 'none') return ''
  if (value === 'file') return ':file:_files'
  if (value === 'directory') return ':directory:_files -/'
  return value === 'text' ? ':value: ' : `:value:(${value.join(' ')})`
}

function fish(commands: readonly CommandShape[]): string {
  const lines = commands.flatMap(({ name, description, options, takesFiles }) => {
    const within = shellQuoted(`__fish_seen_subcommand_from ${name}`)
    return [
      `complete -c fr -f -n __fish_use_subcommand -a ${name} -d ${shellQuoted(description)}`,
      ...(takesFiles ? [`complete -c fr -F -n ${within}`] : []),
      ...options.map((option) => {
        const short = option.short === null ? '' : ` -s ${option.short.slice(1)}`
        const flags = `-l ${option.long.slice(2)}${short}`
        const value = valueInFish(option.value)
        return `complete -c fr -n ${within} ${flags}${value} -d ${shellQuoted(option.description)}`
      }),
    ]
  })
  return `# fish completion of fr: fr completion fish | source
complete -c fr -e
complete -c fr -f
${lines.join('\n')}
`
}

function valueInFish(value: OptionShape['value']): string {
  if (value === 'none') return ''
  if (value === 'file') return ' -r -F'
  if (value === 'directory') return " -x -a '(__fish_complete_directories)'"
  return value === 'text' ? ' -x' : ` -x -a ${shellQuoted(value.join(' '))}`
}
