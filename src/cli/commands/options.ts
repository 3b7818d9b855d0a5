/** Shared by the options of several commands: checking, refusing and passing on values. */
import { type Command as Commander, InvalidArgumentError, Option } from 'commander'
import { limits } from '../../base/limits.js'
import { type LogWish, logLevels } from '../render/text.js'
import { parseCount, UsageError } from '../render/units.js'

/** Values that commander collected, typed by the options that the command declares. */
// biome-ignore lint/suspicious/noExplicitAny: commander knows only names and values
export type Values = Record<string, any>

/** Lets commander name the option when a parse function refuses its value. */
export function checked<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text)
    } catch (error) {
      if (error instanceof UsageError) throw new InvalidArgumentError(`${error.message}.`)
      throw error
    }
  }
}

/** As `checked`, of an option that may be repeated: all values, in order. */
export function listed<T>(
  parse: (text: string) => T,
): (text: string, before?: readonly T[]) => readonly T[] {
  return (text, before = []) => [...before, checked(parse)(text)]
}

export function refuse(what: string): never {
  throw new UsageError(`ERR_FR_UNSUPPORTED: this version does not support ${what}`)
}

export const keyFileOption = [
  '--key-file <file>',
  'key shared by all nodes (- is stdin); else FR_KEY, else loopback only',
] as const

/**
 * An option that takes one of `choices`. Help lists them, or only `shown` when this version refuses
 * some of them by name.
 */
export function choice(
  flags: string,
  description: string,
  choices: readonly string[],
  shown: readonly string[] = choices,
): Option {
  return new Option(flags, `${description}: ${shown.join(', ')}`).argParser((text: string) => {
    if (choices.includes(text)) return text
    throw new InvalidArgumentError(`Allowed choices are ${shown.join(', ')}.`)
  })
}

export function flowsOption(): Option {
  return new Option(
    '--flows <auto|n>',
    'connections from one machine to another, 1 to 16; auto: as many as fill a long way',
  ).argParser(
    checked((text) => (text === 'auto' ? text : parseCount(text, 1, limits.flowsPerFeed))),
  )
}

export function sealOption(): Option {
  return new Option('--seal', 'encrypt what is sent (AES-256-GCM), also where no node wants it')
}

export function engineOption(): Option {
  return choice('--engine <engine>', 'what moves the bytes', ['native', 'portable'])
}

export function logOptions(command: Commander, level: LogWish['level']): Commander {
  return command
    .addOption(
      choice('--log-format <format>', 'format of log lines', ['text', 'json']).default(
        'text',
        'text',
      ),
    )
    .addOption(
      choice('--log-level <level>', 'lowest level that is logged', logLevels).default(level, level),
    )
}

/** Drops members that are undefined. */
export function given<T extends object>(values: T): { [Key in keyof T]?: NonNullable<T[Key]> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [Key in keyof T]?: NonNullable<T[Key]>
  }
}
