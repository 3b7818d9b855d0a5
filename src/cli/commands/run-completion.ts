/** `fr completion`. */
import { completionScript } from '../render/completion.js'
import type { Context } from '../render/context.js'
import type { CompletionCommand } from './completion.js'

export function runCompletion({ shell, commands }: CompletionCommand, context: Context): number {
  context.stdout(completionScript(shell, commands))
  return 0
}
