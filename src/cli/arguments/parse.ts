/** Runs a commander program without letting it print or exit; the caller does both. */
import { type Command as Commander, CommanderError } from 'commander'
import { UsageError } from '../render/units.js'

/** Help fits the narrowest usual terminal, whatever the width of this one. */
const helpColumns = 80

/** What to print when no command was found. */
export type ParsedText =
  /** Help or version, for stdout; exit status 0. */
  | { readonly kind: 'text'; readonly text: string }
  /** For stderr; exit status 2. */
  | { readonly kind: 'usage'; readonly text: string }

/**
 * Parses `argv` without interpreter and script. The program's actions hand over the command; the
 * result says what to print when none was called.
 */
export function parseWith(program: Commander, argv: readonly string[]): ParsedText {
  let out = ''
  let error = ''
  const streams = {
    writeOut: (text: string) => {
      out += text
    },
    writeErr: (text: string) => {
      error += text
    },
    getOutHasColors: () => false,
    getErrHasColors: () => false,
    getOutHelpWidth: () => helpColumns,
    getErrHelpWidth: () => helpColumns,
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
  return { kind: 'usage', text: error }
}
