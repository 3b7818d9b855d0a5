/** A push of a tree that changes nothing: what nodes say would have changed, entry by entry. */
import { cleanText } from '../../base/bytes.js'
import { limits } from '../../base/limits.js'
import type { Applied, TreeChange, TreeDry } from '../../control/messages/applied.js'
import type { Listed } from './listed.js'
import { nameText } from './names.js'

interface Change extends TreeChange {
  nodes: number
}

export class DryRun {
  readonly #counts = { send: 0, set: 0, remove: 0 }
  readonly #changes: Change[] = []
  /** Those that are told, by name. */
  readonly #removed = new Map<string, Change>()
  /** The highest count of a node of what it would remove. */
  #removedAtOne = 0

  /** What nodes said of one listing. Returns the bytes of files that would be sent. */
  take(answers: readonly Applied[], listed: Listed): number {
    const sends = countsOf(answers.map(({ lacks }) => lacks))
    const sets = countsOf(answers.map(({ dry }) => dry?.sets ?? []))
    // What one node lacks and another has, but otherwise, is told once.
    for (const index of sends.keys()) sets.delete(index)
    let bytes = 0
    for (const [index, nodes] of sends) {
      this.#add('send', nameText(listed.name(index)), nodes)
      bytes += listed.bytes(index, 1)
    }
    for (const [index, nodes] of sets) this.#add('set', nameText(listed.name(index)), nodes)
    for (const { dry } of answers) if (dry !== undefined) this.#remove(dry)
    return bytes
  }

  get told(): TreeDry {
    const remove = Math.max(this.#counts.remove, this.#removedAtOne)
    return { ...this.#counts, remove, changes: this.#changes }
  }

  #remove({ removes, removedCount }: NonNullable<Applied['dry']>): void {
    this.#removedAtOne = Math.max(this.#removedAtOne, removedCount)
    for (const text of removes) {
      const name = cleanText(text)
      const known = this.#removed.get(name)
      if (known !== undefined) known.nodes++
      else {
        const change = this.#add('remove', name, 1)
        if (change !== undefined) this.#removed.set(name, change)
      }
    }
  }

  #add(change: TreeChange['change'], name: string, nodes: number): Change | undefined {
    this.#counts[change]++
    if (this.#changes.length === limits.treeChangesTold) return undefined
    const told = { name, change, nodes }
    this.#changes.push(told)
    return told
  }
}

/** In how many lists of ranges each index is, ascending. */
function countsOf(lists: readonly Applied['lacks'][]): Map<number, number> {
  const counts = new Map<number, number>()
  for (const ranges of lists)
    for (const [from, length] of ranges)
      for (let index = from; index < from + length; index++)
        counts.set(index, 1 + (counts.get(index) ?? 0))
  return new Map([...counts].sort(([a], [b]) => a - b))
}
