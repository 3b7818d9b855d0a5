/**
 * Whether nodes have something of the name of a tree before it is pushed: then it is listed first,
 * and only what they lack moves. They are asked while the tree is read, and nobody waits for those
 * that do not answer soon: without an answer bytes go at once.
 */

import { globOf } from '../base/glob.js'
import { limits } from '../base/limits.js'
import type { Frame } from '../control/messages/types.js'
import type { Dialler } from '../net/dial.js'
import { encodeName } from '../protocol/manifest.js'
import { Inquiry } from './client.js'

type Listed = Extract<Frame, { type: 'listed' }>

interface Addressed {
  readonly address: string
}

/** Some of the nodes are asked, evenly over all of them. The first that has it tells. */
export async function isThere(
  name: Uint8Array,
  nodes: readonly Addressed[],
  dialler: Dialler,
  signal: AbortSignal,
): Promise<boolean> {
  const over = new AbortController()
  const timer = setTimeout(() => over.abort(), limits.treeAskMs)
  const either = AbortSignal.any([signal, over.signal])
  const count = Math.min(nodes.length, limits.treeNodesAsked)
  const some = Array.from(
    { length: count },
    (_, at) => nodes[Math.floor((at * nodes.length) / count)],
  )
  try {
    await Promise.any(
      some.map(async (node) => {
        const inquiry = new Inquiry(dialler, (node as Addressed).address)
        const isHere = await isAt(inquiry, name, either).finally(() => inquiry.close())
        if (!isHere) throw new Error('it has nothing of this name')
      }),
    )
    return true
  } catch {
    return false
  } finally {
    clearTimeout(timer)
    over.abort()
  }
}

/** A page ends after so many names, whatever it has found. */
async function isAt(inquiry: Inquiry, name: Uint8Array, signal: AbortSignal): Promise<boolean> {
  const within = { timeoutMs: limits.treeAskMs, signal }
  const glob = encodeName(globOf(name))
  let page: Listed
  let after = ''
  do {
    page = await inquiry.ask({ type: 'list', glob, after, limit: 1 }, 'listed', within)
    after = page.next ?? ''
  } while (page.entries.length === 0 && page.next !== null)
  return page.entries.length > 0
}
