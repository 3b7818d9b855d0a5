/** Who feeds whom what goes to everybody past the columns. */
import type { Groups } from './groups.js'

/**
 * Each node has one in the group before that feeds it, or a mate that is fed. Nobody feeds the
 * first group, nor those to whom there is no way (`unfed`). `feeds`: one can feed the other.
 */
export function spreadOver(
  groups: Groups,
  feeds: (from: number, to: number) => boolean,
): { readonly next: Map<number, number[]>; readonly unfed: number[] } {
  const next = new Map<number, number[]>()
  const unfed: number[] = []
  /** Those whom none of these can feed. */
  const feedAll = (members: readonly number[], from: readonly number[]): number[] =>
    members.filter((node, at) => {
      const turns = [...from.slice(at % from.length), ...from.slice(0, at % from.length)]
      const feeder = turns.find((one) => feeds(one, node))
      if (feeder !== undefined) next.get(feeder)?.push(node)
      return feeder === undefined
    })
  const waiting = groups.all.slice(0, 1)
  for (const group of waiting) {
    const receivers = groups.receivers(group)
    for (const node of receivers) next.set(node, [])
    waiting.push(...group.children)
    if (group.parent === null) continue
    const left = feedAll(receivers, groups.receivers(group.parent))
    const fed = receivers.filter((node) => !left.includes(node))
    unfed.push(...feedAll(left, fed))
  }
  return { next, unfed }
}
