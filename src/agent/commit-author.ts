/**
 * The author of a decision: it has nodes prepare a version that they hold, proposes, and waits for
 * them to switch, for a bounded time. Whatever comes of it, no node waits for it (commits.ts).
 *
 * The idea: each node is met before it is asked, so it is known of which of them nobody can ever
 * say that they have prepared: those that were not met, and those that said that they never will.
 * Of one whose answer was lost that is not known, and then the votes decide.
 */
import { type Failure, FrError } from '../base/errors.js'
import { asFrError } from '../base/failures.js'
import { limits } from '../base/limits.js'
import { nowMs } from '../base/time/awake.js'
import { Turns } from '../base/time/turns.js'
import { digestDigits } from '../base/versions.js'
import { CommitAuthor, type CommitAuthorFact } from '../control/commit/author.js'
import { preparedOf } from '../control/commit/decree.js'
import type { CommitFrame, CommitMode, Decree, Verdict } from '../control/messages/commit.js'
import { originNumber } from '../control/messages/types.js'
import { randomId } from '../net/crypto.js'
import type { Dialler } from '../net/dial.js'
import { encodeName } from '../protocol/manifest.js'
import { Inquiry } from './client.js'
import { askToRemove, askWhatLacks } from './held-client.js'

export interface CommitWish {
  readonly name: Uint8Array
  readonly fileDigest: string
  readonly mode: CommitMode
  readonly nodes: readonly {
    /** HOST:PORT that the others dial, too. */
    readonly address: string
    /** Why it has not got the version; null: it has. */
    readonly failure: Failure | null
  }[]
  /** The version was brought for this: where nothing comes of it, it goes. */
  readonly isNew: boolean
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
  readonly dialler: Dialler
}

export interface CommitOutcome {
  /** Of the decision; null: no node was asked to prepare. */
  readonly id: string | null
  /** Null: the nodes have not decided, or have not said so. */
  readonly verdict: 'commit' | 'abort' | null
  /** Of each node in the order of the wish: whether it has carried the verdict out. */
  readonly nodes: readonly { readonly hasApplied: boolean; readonly failure: Failure | null }[]
}

interface Met {
  readonly address: string
  /** Empty: nobody has met it. */
  nodeId: string
  /** Why it does not prepare. */
  failure: Failure | null
  readonly inquiry: Inquiry
  /** What is to be said to it, by its kind: the newest. */
  readonly line: Map<string, CommitFrame>
  wake: () => void
}

/** Throws ERR_FR_LIMIT for more nodes than can decide together. */
export function requireFewEnough(count: number): void {
  if (count <= limits.commitMembers) return
  const text = `at most ${limits.commitMembers} nodes switch together, not ${count}`
  throw new FrError('ERR_FR_LIMIT', text)
}

/** Never rejects, but for the signal's reason before any node was asked to prepare. */
export async function decideTogether(wish: CommitWish): Promise<CommitOutcome> {
  const nodes = wish.nodes.map(({ address, failure }): Met => {
    const inquiry = new Inquiry(wish.dialler, address)
    return { address, nodeId: '', failure, inquiry, line: new Map(), wake: () => {} }
  })
  try {
    await meetAll(wish, nodes)
    wish.signal?.throwIfAborted()
    const { name, fileDigest, mode } = wish
    const members = nodes.map(({ address, nodeId }) => ({ address, nodeId }))
    const decree: Decree = {
      id: decreeId(Date.now()),
      ...encodeName(name),
      mode,
      fileDigest,
      members,
    }
    const ready = nodes.filter(({ failure }) => failure === null)
    if (ready.length >= preparedOf(decree)) return await new Deciding(wish, decree, nodes).run()
    if (wish.isNew) await dropAll(wish, ready)
    const stays = nodes.map(({ failure }) => ({ hasApplied: failure === null, failure }))
    return { id: null, verdict: 'abort', nodes: stays }
  } finally {
    for (const { inquiry } of nodes) inquiry.close()
  }
}

/** Of two the later one is higher, where the clocks of their authors are right. */
export function decreeId(wallMs: number): string {
  const time = Math.max(0, wallMs).toString(16).padStart(timeDigits, '0')
  return `${time}${randomId()}`.slice(0, idDigits)
}

const timeDigits = 12
const idDigits = 32

/** Who cannot be asked anything now is asked nothing that it could say yes to. */
async function meetAll(wish: CommitWish, nodes: readonly Met[]): Promise<void> {
  const { name, fileDigest, signal } = wish
  const known = new Set<string>()
  await each(nodes, async (node) => {
    try {
      const within = { timeoutMs: limits.reachMs, signal }
      // Any question does: the answer tells which node this is.
      await askWhatLacks(node.inquiry, within, [{ name, size: 0, fileDigest }])
      const { nodeId } = node.inquiry
      if (known.has(nodeId)) throw new FrError('ERR_FR_SAME_NODE')
      known.add(nodeId)
      node.nodeId = nodeId
    } catch (error) {
      node.failure ??= failureOf(error)
    }
  })
}

/** A version that is left somewhere all the same goes with the next push of the name. */
async function dropAll({ name, fileDigest, signal }: CommitWish, nodes: readonly Met[]) {
  const version = Buffer.concat([name, Buffer.from(`@${digestDigits(fileDigest)}`)])
  const within = { timeoutMs: limits.acceptMs, signal }
  await each(nodes, ({ inquiry }) => askToRemove(inquiry, within, version, false).catch(() => {}))
}

/** So many at the same time. */
async function each(nodes: readonly Met[], work: (node: Met) => Promise<unknown>): Promise<void> {
  const turns = new Turns(limits.commitCalls)
  await Promise.all(
    nodes.map(async (node) => {
      await turns.take()
      await work(node).finally(() => turns.done())
    }),
  )
}

function failureOf(error: unknown): Failure {
  const { code, message: text } = asFrError(error, 'ERR_FR_INTERNAL')
  return { code, text }
}

class Deciding {
  readonly #wish: CommitWish
  readonly #decree: Decree
  readonly #nodes: readonly Met[]
  readonly #author: CommitAuthor
  readonly #turns = new Turns(limits.commitCalls)
  readonly #applied = new Set<number>()
  #verdict: Verdict | undefined
  /** Nobody is waited for any longer, however long it reads. */
  readonly #stop = new AbortController()
  #timer: NodeJS.Timeout | undefined
  /** When it is waited for no longer. */
  #end: NodeJS.Timeout | undefined

  constructor(wish: CommitWish, decree: Decree, nodes: readonly Met[]) {
    this.#wish = wish
    this.#decree = decree
    this.#nodes = nodes
    this.#author = new CommitAuthor(decree, nowMs())
  }

  async run(): Promise<CommitOutcome> {
    const { timeoutMs, signal } = this.#wish
    const give = (): void => this.#give()
    this.#end = setTimeout(give, timeoutMs)
    signal?.addEventListener('abort', give, { once: true })
    try {
      await Promise.all(this.#nodes.map((node, number) => this.#serve(node, number)))
    } finally {
      signal?.removeEventListener('abort', give)
      clearTimeout(this.#end)
      clearTimeout(this.#timer)
    }
    const nodes = this.#nodes.map(({ failure }, number) => {
      return { hasApplied: this.#applied.has(number), failure }
    })
    return { id: this.#decree.id, verdict: this.#verdict?.type ?? null, nodes }
  }

  /** Who has not prepared is waited for no longer, and the votes on that only for a while. */
  #give(): void {
    this.#fact({ type: 'give' })
    this.#endWithin(limits.commitSwitchMs)
  }

  #endWithin(forMs: number): void {
    clearTimeout(this.#end)
    this.#end = setTimeout(() => this.#over(), forMs)
  }

  get #isOver(): boolean {
    return this.#stop.signal.aborted
  }

  #over(): void {
    this.#stop.abort()
    for (const { wake } of this.#nodes) wake()
  }

  #fact(fact: CommitAuthorFact): void {
    for (const wish of this.#author.handle(fact, nowMs())) {
      if (wish.type === 'say') this.#say(wish.member, wish.frame)
      else if (wish.type === 'applied') this.#applied.add(wish.member)
      else if (wish.type === 'over') this.#over()
      else {
        this.#verdict = wish.verdict
        this.#endWithin(limits.commitSwitchMs)
      }
    }
    // The members tell those that are away, and need no author for that.
    const isLeft = ({ failure }: Met, number: number): boolean =>
      failure === null && !this.#applied.has(number)
    if (this.#verdict !== undefined && !this.#nodes.some(isLeft)) this.#over()
    clearTimeout(this.#timer)
    const dueMs = this.#author.deadlineMs()
    if (dueMs === null || this.#isOver) return
    const due = (): void => this.#fact({ type: 'due' })
    this.#timer = setTimeout(due, Math.max(1, dueMs - nowMs()))
  }

  #say(number: number, frame: CommitFrame): void {
    const node = this.#nodes[number]
    node?.line.set(frame.type, frame)
    node?.wake()
  }

  /** All that is said to one node, one after the other. Never rejects. */
  async #serve(node: Met, number: number): Promise<void> {
    if (node.failure !== null) this.#fact({ type: 'never', member: number })
    else await this.#prepare(node, number)
    const isHeard = node.nodeId !== ''
    while (!this.#isOver || (isHeard && node.line.size > 0)) {
      if (node.line.size === 0) await this.#rest(node)
      const [frame] = node.line.values()
      if (frame !== undefined) node.line.delete(frame.type)
      // Nobody has met it: the others tell it what came of this.
      if (!isHeard || (frame === undefined && this.#isOver)) continue
      try {
        await this.#consult(node, number, frame ?? null)
      } catch {
        if (this.#isOver) return
        await this.#rest(node)
      }
    }
  }

  /** Until something is to be said, or it is time to be heard. */
  #rest(node: Met): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, limits.commitBeatMs)
      node.wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  async #prepare(node: Met, number: number): Promise<void> {
    const question = { type: 'prepare', decree: this.#decree, isNew: this.#wish.isNew } as const
    const { signal } = this.#stop
    const within = { timeoutMs: limits.stallMs + limits.acceptMs, signal }
    await this.#turns.take()
    try {
      signal.throwIfAborted()
      const answer = await node.inquiry.ask(question, 'voted', within, 'verifying')
      node.failure = answer.never
      if (answer.never !== null) this.#fact({ type: 'never', member: number })
      else this.#heard(number, answer.frame)
    } catch (error) {
      // It may have prepared before the answer was lost.
      node.failure = failureOf(error)
      this.#fact({ type: 'failed', member: number })
    } finally {
      this.#turns.done()
    }
  }

  async #consult(node: Met, number: number, frame: CommitFrame | null): Promise<void> {
    const { id } = this.#decree
    const question = { type: 'consult', id, by: originNumber, to: number, frame } as const
    const within = { timeoutMs: limits.acceptMs, signal: undefined }
    const answer = await node.inquiry.ask(question, 'voted', within)
    this.#heard(number, answer.frame)
  }

  #heard(number: number, frame: CommitFrame | null): void {
    if (frame !== null) this.#fact({ type: 'said', member: number, frame })
  }
}
