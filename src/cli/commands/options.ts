/** What the options of several commands share: how values are checked, refused and handed on. */
import { type Command as Commander, InvalidArgumentError, Option } from 'commander'
import type { LogLine } from '../../api/types.js'
import { logLevels } from '../render-text.js'
import { UsageError } from '../units.js'

export interface LogWish {
  readonly format: 'text' | 'json'
  readonly level: LogLine['level']
}

/** What commander collected of a command, typed by the options that the command declares. */
// biome-ignore lint/suspicious/noExplicitAny: commander knows only names and values
export type Values = Record<string, any>

/** Lets commander name the option whose value a parse function refuses. */
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

export function refuse(what: string): never {
  throw new UsageError(`ERR_FR_UNSUPPORTED: this version does not offer ${what}`)
}

export const keyFileOption = [
  '--key-file <file>',
  'key shared by all nodes (- is stdin); else FR_KEY, else loopback only',
] as const

export function engineOption(): Option {
  return new Option('--engine <engine>', 'what moves the bytes').choices(['native', 'portable'])
}

export function logOptions(command: Commander, level: LogWish['level']): Commander {
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

/** The same without the members that are undefined. */
export function given<T extends object>(values: T): { [Key in keyof T]?: NonNullable<T[Key]> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [Key in keyof T]?: NonNullable<T[Key]>
  }
}
