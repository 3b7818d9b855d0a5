/** What a push of a directory would change (`--dry-run`), a line for each entry. */
import type { PushResult } from '../../api/types.js'
import { formatBytes } from '../../base/limits.js'
import { printable } from './text.js'

const signs = { send: '+', set: '~', remove: '-' } as const

/** `+` its bytes would be sent, `~` it would be made or set without, `-` it would be removed. */
export function changeLines({ tree, nodes }: PushResult): string[] {
  if (tree?.dry === undefined) return []
  const { send, set, remove, changes } = tree.dry
  const lines = changes.map(({ name, change, nodes: at }) => {
    const where = at === nodes.length ? '' : `  (at ${at} of ${nodes.length})`
    return `${signs[change]} ${printable(name === '' ? '.' : name)}${where}`
  })
  const rest = send + set + remove - changes.length
  return [
    ...lines,
    ...(rest > 0 ? [`and ${rest} more`] : []),
    `${send} to send (${formatBytes(tree.movedBytes)}), ${set} to set, ${remove} to remove`,
  ]
}
