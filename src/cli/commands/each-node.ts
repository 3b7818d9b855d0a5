/** Runs the same request at several nodes, and turns what became of them into an exit status. */
import { FrError } from '../../base/errors.js'
import type { Context } from '../render/context.js'
import { failureText, statusOfFailure } from '../render/failures.js'
import { jsonText } from '../render/text.js'

/** What a node did well, and what failed: a node that could not be asked is one failure. */
export interface Tally {
  good: number
  failed: number
}

export interface EachNode {
  /** For the beginning of a line on stderr. */
  readonly command: string
  readonly addresses: readonly string[]
  readonly json: boolean
}

/**
 * At all nodes at once. A failure is told at once: a line on stderr, or with `json` an `error` line
 * on stdout. 0: all went well, 3: some, 1: nothing. Rejects for a wrong request and for a signal.
 */
export async function eachNode(
  { command, addresses, json }: EachNode,
  context: Context,
  ask: (address: string, tally: Tally) => Promise<void>,
): Promise<number> {
  const tally: Tally = { good: 0, failed: 0 }
  const asked = addresses.map(async (node) => {
    try {
      await ask(node, tally)
    } catch (error) {
      // Wrong for all nodes, or stopped by a signal.
      if (statusOfFailure(error) !== 1) throw error
      tally.failed++
      const text = failureText(error)
      const code = error instanceof FrError ? error.code : null
      if (json) context.stdout(`${jsonText({ event: 'error', node, code, text })}\n`)
      else context.stderr(`fr ${command}: ${text.includes(node) ? text : `${node}: ${text}`}\n`)
    }
  })
  const outcomes = await Promise.allSettled(asked)
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  return tally.failed === 0 ? 0 : tally.good > 0 ? 3 : 1
}
