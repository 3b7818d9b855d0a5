/**
 * Which nodes criteria match.
 *
 * The idea: a query goes from node to node of the tree: upward always, and down where what is known
 * of a subtree does not rule out that somebody there qualifies. Each node judges itself by its own
 * attributes, so what is found is right whatever roll-ups say; answers go back as they come. Each
 * node waits for a part of the time that whoever asked it waits, and says then that it is not all.
 */
import type { Criteria } from '../../base/criteria.js'
import { limits } from '../../base/limits.js'
import type { FoundNode, TreeFrame } from '../messages/directory.js'

type Found = Extract<TreeFrame, { type: 'found' }>

export interface Asker {
  /** Null: a client of this node. */
  readonly link: number | null
  readonly query: number
  readonly nodes: (nodes: readonly FoundNode[]) => void
  readonly over: (asked: number, isWhole: boolean) => void
}

interface Finding {
  readonly asker: Asker
  readonly waiting: Set<number>
  readonly untilMs: number
  asked: number
  found: number
  isWhole: boolean
}

export interface FindingHost {
  readonly self: (criteria: Criteria) => FoundNode | null
  /** Links to whom it is to be asked on. */
  readonly targets: (criteria: Criteria, from: number | null) => readonly number[]
  readonly say: (link: number, frame: TreeFrame) => void
}

export class Findings {
  readonly #host: FindingHost
  readonly #all = new Map<number, Finding>()
  #last = 0

  constructor(host: FindingHost) {
    this.#host = host
  }

  get size(): number {
    return this.#all.size
  }

  get dueMs(): number {
    let dueMs = Number.POSITIVE_INFINITY
    for (const { untilMs } of this.#all.values()) dueMs = Math.min(dueMs, untilMs)
    return dueMs
  }

  /** `text`: the same criteria. */
  begin(criteria: Criteria, text: string, forMs: number, asker: Asker, nowMs: number): void {
    if (this.#all.size >= limits.findsAtOnce || forMs < limits.findMsMin)
      return asker.over(0, false)
    const self = this.#host.self(criteria)
    const targets = this.#host.targets(criteria, asker.link)
    if (self !== null) asker.nodes([self])
    const query = ++this.#last
    const finding: Finding = {
      ...{ asker, waiting: new Set(targets), untilMs: nowMs + forMs },
      ...{ asked: 1, found: self === null ? 0 : 1, isWhole: true },
    }
    this.#all.set(query, finding)
    const next = Math.floor(forMs * limits.findNext)
    for (const link of targets)
      this.#host.say(link, { type: 'find', query, criteria: text, forMs: next })
    this.#endIfDone(query, finding)
  }

  found(link: number, { query, nodes, asked, isLast, isWhole }: Found): void {
    const finding = this.#all.get(query)
    if (finding === undefined || !finding.waiting.has(link)) return
    const room = limits.findNodes - finding.found
    if (nodes.length > room) finding.isWhole = false
    const taken = nodes.slice(0, room)
    finding.found += taken.length
    if (taken.length > 0) finding.asker.nodes(taken)
    if (!isLast) return
    finding.waiting.delete(link)
    finding.asked += asked
    finding.isWhole &&= isWhole
    this.#endIfDone(query, finding)
  }

  /** Who is gone answers nothing, and needs no answer. */
  closed(link: number): void {
    for (const [query, finding] of this.#all) {
      if (finding.asker.link === link) this.#all.delete(query)
      else if (finding.waiting.delete(link)) {
        finding.isWhole = false
        this.#endIfDone(query, finding)
      }
    }
  }

  due(nowMs: number): void {
    for (const [query, finding] of this.#all) {
      if (finding.untilMs > nowMs) continue
      finding.isWhole = false
      finding.waiting.clear()
      this.#endIfDone(query, finding)
    }
  }

  #endIfDone(query: number, { asker, waiting, asked, isWhole }: Finding): void {
    if (waiting.size > 0) return
    this.#all.delete(query)
    asker.over(asked, isWhole)
  }
}
