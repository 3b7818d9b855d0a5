/**
 * Simulated nodes and authors that decide about a name together, while processes are killed, words
 * get lost or come twice, and hosts hear nothing of others. What must hold is checked at every step
 * (nobody has another verdict than anybody else; nobody switches before enough have prepared), and
 * once all is calm: all have the same version, and nobody is in doubt.
 */
import { CommitAuthor, type CommitAuthorFact } from '../control/commit/author.js'
import { preparedOf } from '../control/commit/decree.js'
import type { CommitFrame, CommitRecord, Decree, Verdict } from '../control/messages/commit.js'
import { originNumber } from '../control/messages/types.js'
import { CommitNode, nameOfAll, nodeIdOf } from './commit-node.js'
import type { CommitScenario } from './commit-scenario.js'
import { Random } from './random.js'
import { Timeline } from './timeline.js'

/** How long after all is calm everybody must have the verdict. */
const settleMs = 600_000
/** How long a link is silent before its end notices. */
const noticeMs = 1_000
const offerMs = 5
/** How long a word may be under way. */
const lateMs = 10_000
/** How long an author waits for what it cannot bring about: the time limit of a push. */
const authorMs = 30_000

type Hear = (from: string, to: string, frame: CommitFrame) => void

interface Push {
  readonly decree: Decree
  author: CommitAuthor | undefined
  dueMs: number
  /** That its author has said. */
  words: number
  /** Of those: what is decided. */
  told: number
  /** Members of whom a durable record has said that they have prepared. */
  readonly prepared: Set<number>
  verdict: Verdict | undefined
}

export class CommitWorld {
  readonly #scenario: CommitScenario
  readonly #timeline = new Timeline()
  readonly #random: Random
  readonly #nodes: CommitNode[] = []
  readonly #pushes: Push[]
  readonly #hear: Hear
  readonly #gone = new Set<number>()

  constructor(scenario: CommitScenario, hear: Hear = () => {}) {
    this.#scenario = scenario
    this.#random = new Random(scenario.seed ^ 0x0c0_3317)
    this.#hear = hear
    const members = Array.from({ length: scenario.nodes }, (_, node) => {
      return { nodeId: nodeIdOf(node), address: `10.0.0.${node}:7400` }
    })
    this.#pushes = scenario.pushes.map(({ mode }, i) => {
      const id = `push${i}`
      const decree = { ...nameOfAll, id, mode, members, fileDigest: id }
      const none = Number.POSITIVE_INFINITY
      const begun = { author: undefined, dueMs: none, words: 0, told: 0, verdict: undefined }
      return { decree, prepared: new Set<number>(), ...begun }
    })
    for (let node = 0; node < scenario.nodes; node++) this.#nodes.push(this.#nodeOf(node))
  }

  /** Throws with what does not hold. Returns the verdicts, and what all nodes have. */
  run(): { readonly verdicts: readonly (Verdict | undefined)[]; readonly present: string } {
    const { pushes, crashes, cuts, jumps, calmMs } = this.#scenario
    for (const [i, { atMs, killed, givesMs }] of pushes.entries()) {
      this.#timeline.at(atMs, () => this.#offer(i))
      if (givesMs !== undefined) this.#timeline.at(givesMs, () => this.#author(i, { type: 'give' }))
      if (killed !== null && 'ms' in killed) this.#timeline.at(killed.ms, () => this.#killAuthor(i))
    }
    for (const { node, at, downMs } of crashes)
      if ('ms' in at) this.#timeline.at(at.ms, () => this.#crash(node, downMs))
    for (const { fromMs, toMs } of cuts) {
      this.#timeline.at(fromMs + noticeMs, () => this.#lookAtLinks())
      this.#timeline.at(toMs + noticeMs, () => this.#lookAtLinks())
    }
    for (const { node, atMs, byMs } of jumps)
      this.#timeline.at(atMs, () => this.#nodes[node]?.jump(byMs))
    this.#timeline.at(calmMs, () => {
      for (const node of this.#nodes.keys()) this.#start(node)
    })
    const endMs = calmMs + settleMs
    this.#timeline.at(endMs, () => {})
    while (this.#timeline.nowMs < endMs && this.#timeline.step());
    return this.#ended()
  }

  #nodeOf(node: number): CommitNode {
    const random = new Random(this.#scenario.seed * 31 + node)
    return new CommitNode(node, this.#timeline, random, this.#scenario.writeMs, {
      say: (from, member, id, frame) => this.#say(from, this.#hostOf(member, id), id, frame),
      isThere: (from, id) =>
        this.#nodes.some((other, to) => other.isUp && other.has(id) && !this.#isCut(from, to)),
      wrote: (member, record) => this.#wrote(member, record),
      writes: (member, count) => {
        for (const { node: dying, at, downMs } of this.#scenario.crashes)
          if (dying === member && 'writes' in at && at.writes === count) this.#crash(member, downMs)
      },
    })
  }

  // --- what happens ---

  #offer(index: number): void {
    const push = this.#pushes[index] as Push
    push.author = new CommitAuthor(push.decree, this.#timeline.nowMs)
    for (const [node, takesMs] of (this.#scenario.pushes[index]?.preparesMs ?? []).entries()) {
      this.#timeline.after(offerMs, () => {
        const isReached = !this.#isCut(this.#authorHost(index), node) && this.#nodes[node]?.isUp
        if (isReached) this.#nodes[node]?.join(push.decree)
        if (!isReached || takesMs === null) this.#refused(index, node)
        else this.#timeline.after(takesMs, () => this.#prepare(index, node))
      })
    }
    this.#timeline.after(authorMs, () => this.#killAuthor(index))
    this.#arm(index)
  }

  #prepare(index: number, node: number): void {
    const { decree } = this.#pushes[index] as Push
    if (!this.#nodes[node]?.prepare(decree)) this.#refused(index, node)
  }

  /** Nobody asks it again to prepare. */
  #refused(index: number, member: number): void {
    const isSure = this.#scenario.pushes[index]?.isSure === true
    this.#author(index, { type: isSure ? 'never' : 'failed', member })
  }

  #fail(index: number, member: number): void {
    this.#author(index, { type: 'failed', member })
  }

  #killAuthor(index: number): void {
    const push = this.#pushes[index] as Push
    push.author = undefined
    this.#timeline.after(noticeMs, () => this.#lookAtLinks())
  }

  #crash(node: number, downMs: number | null): void {
    if (this.#timeline.nowMs >= this.#scenario.calmMs) return
    this.#nodes[node]?.kill()
    this.#timeline.after(noticeMs, () => {
      for (const [index, push] of this.#pushes.entries())
        if (push.author?.verdict === undefined) this.#fail(index, node)
    })
    if (downMs === null) this.#gone.add(node)
    else this.#timeline.after(downMs, () => this.#start(node))
  }

  #start(node: number): void {
    if (!this.#gone.has(node)) this.#nodes[node]?.start()
  }

  /** Nodes notice which authors they have a link to. A process that is new has none. */
  #lookAtLinks(): void {
    for (const [index, { decree, author }] of this.#pushes.entries())
      for (const [node, each] of this.#nodes.entries()) {
        const isThere = author !== undefined && !this.#isCut(this.#authorHost(index), node)
        if (each.isUp) each.fact(decree.id, { type: 'author', isThere })
      }
  }

  #author(index: number, fact: CommitAuthorFact): void {
    const push = this.#pushes[index] as Push
    for (const wish of push.author?.handle(fact, this.#timeline.nowMs) ?? []) {
      // A word may be the last thing that an author does.
      if (push.author === undefined) break
      if (wish.type === 'say') this.#authorSays(index, wish.member, wish.frame)
      else if (wish.type === 'decided') this.#decided(push, wish.verdict)
      else if (wish.type === 'over') this.#killAuthor(index)
    }
    this.#arm(index)
  }

  #authorSays(index: number, member: number, frame: CommitFrame): void {
    const push = this.#pushes[index] as Push
    this.#say(this.#authorHost(index), member, push.decree.id, frame)
    const killed = this.#scenario.pushes[index]?.killed
    const told = frame.type === 'decided' ? ++push.told : 0
    if (killed && 'told' in killed && told === killed.told) this.#killAuthor(index)
    if (killed && 'words' in killed && ++push.words === killed.words) this.#killAuthor(index)
  }

  #arm(index: number): void {
    const push = this.#pushes[index] as Push
    const dueMs = push.author?.deadlineMs() ?? Number.POSITIVE_INFINITY
    if (dueMs === push.dueMs) return
    push.dueMs = dueMs
    if (!Number.isFinite(dueMs)) return
    this.#timeline.at(dueMs, () => {
      if (push.dueMs !== dueMs) return
      push.dueMs = Number.POSITIVE_INFINITY
      this.#author(index, { type: 'due' })
    })
  }

  // --- words ---

  #authorHost(index: number): number {
    return this.#scenario.nodes + index
  }

  #hostOf(member: number, id: string): number {
    if (member !== originNumber) return member
    return this.#authorHost(this.#pushes.findIndex(({ decree }) => decree.id === id))
  }

  #isCut(from: number, to: number): boolean {
    const { nowMs } = this.#timeline
    return this.#scenario.cuts.some(({ fromMs, toMs, hosts, from: others }) => {
      if (nowMs < fromMs || nowMs >= toMs || hosts.has(from) === hosts.has(to)) return false
      return others?.has(hosts.has(from) ? to : from) ?? true
    })
  }

  #say(from: number, to: number, id: string, frame: CommitFrame): void {
    this.#hear(this.#named(from), this.#named(to), frame)
    const { lostPart, twicePart, latePart, calmMs } = this.#scenario
    const isCalm = this.#timeline.nowMs >= calmMs
    if (this.#isCut(from, to) || (!isCalm && this.#random.chance(lostPart))) return
    const times = !isCalm && this.#random.chance(twicePart) ? 2 : 1
    for (let i = 0; i < times; i++) {
      const isLate = !isCalm && latePart > 0 && this.#random.chance(latePart)
      const takesMs = this.#random.between(1, isLate ? lateMs : 50)
      this.#timeline.after(takesMs, () => this.#arrive(from, to, id, frame))
    }
  }

  #arrive(from: number, to: number, id: string, frame: CommitFrame): void {
    if (this.#isCut(from, to)) return
    const { nodes } = this.#scenario
    if (to >= nodes) this.#author(to - nodes, { type: 'said', member: from, frame })
    else this.#nodes[to]?.said(from >= nodes ? originNumber : from, frame)
    if (frame.type === 'decided') this.#decided(this.#pushOf(id), frame.verdict)
  }

  #named(host: number): string {
    const { nodes, pushes } = this.#scenario
    if (host < nodes) return `node${host}`
    return pushes.length === 1 ? 'author' : `author${host - nodes}`
  }

  // --- what must hold ---

  #pushOf(id: string): Push {
    return this.#pushes.find(({ decree }) => decree.id === id) as Push
  }

  #wrote(member: number, { decree, prepared, verdict }: CommitRecord): void {
    const push = this.#pushOf(decree.id)
    if (prepared !== null) push.prepared.add(member)
    if (verdict !== null) this.#decided(push, verdict)
  }

  #decided(push: Push, verdict: Verdict): void {
    const { decree, prepared } = push
    if (verdict.type === 'commit' && prepared.size < preparedOf(decree))
      throw new Error(`${decree.id}: a commit though only ${prepared.size} have prepared`)
    const known = push.verdict ?? verdict
    if (wordsOf(known) !== wordsOf(verdict))
      throw new Error(`${decree.id}: ${wordsOf(known)} and ${wordsOf(verdict)}`)
    push.verdict = verdict
  }

  /** For a member that is gone: the newest version of the name, and what was aborted. */
  get #recordsLeft(): number {
    if (this.#gone.size === 0) return 0
    return 1 + this.#pushes.filter(({ verdict }) => verdict?.type === 'abort').length
  }

  #ended(): ReturnType<CommitWorld['run']> {
    const left = this.#nodes.filter((_, node) => !this.#gone.has(node))
    const present = left[0]?.present ?? ''
    for (const [i, node] of left.entries()) {
      if (node.present !== present)
        throw new Error(`node0 has ${present}, node${i} has ${node.present}`)
      if (node.openRecords > 2 * this.#recordsLeft)
        throw new Error(`node${i} still has ${node.openRecords} records`)
    }
    const verdicts = this.#pushes.map(({ verdict }) => verdict)
    const orders = verdicts.map((verdict) => (verdict?.type === 'commit' ? verdict.order : 0))
    const last = orders.indexOf(Math.max(0, ...orders))
    const wanted = Math.max(0, ...orders) === 0 ? 'old' : (this.#pushes[last] as Push).decree.id
    if (present !== wanted) throw new Error(`all have ${present} instead of ${wanted}`)
    return { verdicts, present }
  }
}

function wordsOf(verdict: Verdict): string {
  return verdict.type === 'commit' ? `commit ${verdict.order}` : verdict.type
}
