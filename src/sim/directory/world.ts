/**
 * Nodes of a directory on a virtual clock: the shipping machines, words that take their time,
 * nodes that die and come back, and sides that do not reach each other.
 */
import type { Attributes } from '../../base/attributes.js'
import { Directory } from '../../control/directory/directory.js'
import type { DirectoryWish, LinkFrame, LinkKind } from '../../control/directory/facts.js'
import type { Kept } from '../../control/directory/history.js'
import type { FoundNode } from '../../control/messages/directory.js'
import { Random } from '../random.js'
import { Timeline } from '../timeline.js'

export interface SimNodeSpec {
  readonly name: string
  readonly attributes: Attributes
  /** Names of others. */
  readonly parents: readonly string[]
  readonly maxChildren: number
  readonly deputy?: string
}

export interface Answer {
  readonly nodes: FoundNode[]
  asked: number
  isWhole: boolean | null
}

/** One end of a link. */
interface End {
  readonly node: SimNode
  readonly link: number
}

export interface SimNode {
  readonly spec: SimNodeSpec
  readonly nodeId: string
  /** Null: it is dead. */
  machine: Directory | null
  /** Of its announcements, what is on its disk. */
  readonly disk: Map<string, Kept>
  readonly told: Kept[]
  readonly answers: Map<number, Answer>
  /** The other end of each link. */
  readonly ends: Map<number, End>
  runs: number
  dueMs: number
  side: number
}

/** Milliseconds until somebody notices that the other end is gone. */
const noticeMs = 8_000
/** Unix milliseconds at which a simulation begins. */
export const epochMs = 1_800_000_000_000

export class DirectoryWorld {
  readonly timeline = new Timeline()
  readonly nodes = new Map<string, SimNode>()
  readonly #latencyMs: number
  readonly #random: Random
  readonly #records = new Map<string, Kept>()
  #links = 0
  #queries = 0
  /** Of each kind how many frames were said. */
  readonly said = new Map<string, number>()
  readonly notes: string[] = []

  constructor(seed: number, latencyMs = 5) {
    this.#random = new Random(seed)
    this.#latencyMs = latencyMs
  }

  get nowMs(): number {
    return this.timeline.nowMs
  }

  start(spec: SimNodeSpec): SimNode {
    const node: SimNode = {
      ...{ spec, nodeId: idOf(spec.name), machine: null, disk: new Map(), told: [] },
      ...{ answers: new Map(), ends: new Map(), runs: 0, dueMs: Infinity, side: 0 },
    }
    this.nodes.set(spec.name, node)
    this.restart(node)
    return node
  }

  restart(node: SimNode): void {
    const { name, attributes, parents, maxChildren, deputy = null } = node.spec
    node.runs += 1
    const run = idOf(`${name} ${node.runs}`).slice(0, 24)
    const said = { ...attributes, name, id: node.nodeId }
    const seed = this.#random.integer(0, 2 ** 31)
    const spec = { parents, maxChildren, deputy, run, seed, attributes: said }
    const self = { nodeId: node.nodeId, address: name }
    node.machine = new Directory({ ...self, ...spec }, epochMs + this.nowMs)
    for (const kept of node.disk.values())
      this.#carryOut(node, node.machine.restore(kept, epochMs + this.nowMs))
    this.#wake(node)
  }

  /** Others notice after a while. */
  kill(node: SimNode): void {
    node.machine = null
    node.dueMs = Infinity
    const ends = [...node.ends]
    node.ends.clear()
    for (const [, end] of ends) this.#breaks(end)
  }

  /** From now on only nodes of one side reach each other. */
  divide(sideOf: (node: SimNode) => number): void {
    for (const node of this.nodes.values()) node.side = sideOf(node)
    for (const node of this.nodes.values())
      for (const [link, end] of [...node.ends])
        if (end.node.side !== node.side) {
          node.ends.delete(link)
          this.#breaks({ node, link })
        }
  }

  run(forMs: number): void {
    const untilMs = this.nowMs + forMs
    this.timeline.at(untilMs, () => {})
    while (this.nowMs < untilMs && this.timeline.step());
  }

  setAttributes(node: SimNode, attributes: Attributes): void {
    const said = { ...attributes, name: node.spec.name, id: node.nodeId }
    this.post(node, { type: 'attributes', attributes: said })
  }

  announce(node: SimNode, kept: Kept): void {
    this.#records.set(kept.announcement.id, kept)
    const { machine } = node
    if (machine !== null) this.#carryOut(node, machine.announce(kept, epochMs + this.nowMs))
    this.#wake(node)
  }

  where(node: SimNode, criteria: string): Answer {
    const query = ++this.#queries
    const answer: Answer = { nodes: [], asked: 0, isWhole: null }
    node.answers.set(query, answer)
    this.post(node, { type: 'where', query, criteria })
    return answer
  }

  post(node: SimNode, fact: Parameters<Directory['post']>[0]): void {
    const { machine } = node
    if (machine === null) return
    this.#carryOut(node, machine.post(fact, epochMs + this.nowMs))
    this.#wake(node)
  }

  #wake(node: SimNode): void {
    const { machine } = node
    if (machine === null) return
    const dueMs = Math.max(machine.dueMs - epochMs, this.nowMs)
    if (dueMs >= node.dueMs || dueMs === Infinity) return
    node.dueMs = dueMs
    this.timeline.at(dueMs, () => {
      if (node.dueMs !== dueMs || node.machine !== machine) return
      node.dueMs = Infinity
      this.post(node, { type: 'due' })
    })
  }

  #carryOut(node: SimNode, wishes: readonly DirectoryWish[]): void {
    for (const wish of wishes) this.#do(node, wish)
  }

  #do(node: SimNode, wish: DirectoryWish): void {
    switch (wish.type) {
      case 'dial':
        return this.#dial(node, wish.address, wish.kind)
      case 'say':
        return this.#say(node, wish.link, wish.frame)
      case 'hangUp': {
        const end = node.ends.get(wish.link)
        node.ends.delete(wish.link)
        if (end !== undefined) this.#travel(end, () => this.#close(end))
        return
      }
      case 'found':
        node.answers.get(wish.query)?.nodes.push(...wish.nodes)
        return
      case 'answered': {
        const answer = node.answers.get(wish.query)
        if (answer !== undefined)
          Object.assign(answer, { asked: wish.asked, isWhole: wish.isWhole })
        return
      }
      case 'told':
        node.told.push(wish)
        return
      case 'keep':
        node.disk.set(wish.announcement.id, wish)
        return
      case 'forget':
        node.disk.delete(wish.id)
        return
      case 'note':
        this.notes.push(wish.note.about)
        return
      default:
        return wish satisfies never
    }
  }

  #dial(node: SimNode, address: string, kind: LinkKind): void {
    const { machine } = node
    this.timeline.after(3 * this.#latencyMs, () => {
      if (node.machine !== machine) return
      const other = this.nodes.get(address)
      if (other === undefined || other.machine === null || other.side !== node.side)
        return this.post(node, { type: 'failed', kind, address, text: 'it is not reached' })
      const [link, link2] = [++this.#links, ++this.#links]
      node.ends.set(link, { node: other, link: link2 })
      other.ends.set(link2, { node, link })
      this.post(node, { type: 'opened', link, kind, nodeId: other.nodeId, address })
    })
  }

  #say(node: SimNode, link: number, frame: LinkFrame): void {
    const end = node.ends.get(link)
    if (end === undefined) return
    this.said.set(frame.type, (this.said.get(frame.type) ?? 0) + 1)
    this.#travel(end, () => {
      const { node: to, link: at } = end
      if (!to.ends.has(at)) return
      if (frame.type === 'enroll' || frame.type === 'mate')
        return this.post(to, { type: 'called', link: at, nodeId: node.nodeId, frame })
      if (frame.type !== 'spread') return this.post(to, { type: 'said', link: at, frame })
      const kept = this.#records.get(frame.id)
      if (kept === undefined) throw new Error('a record that nobody has announced')
      if (to.machine?.isWanted(at, frame.id, epochMs + this.nowMs))
        this.post(to, { type: 'verified', link: at, ...kept })
    })
  }

  /** Words of one direction of a link stay in order, for they all take as long. */
  #travel(_end: End, arrive: () => void): void {
    this.timeline.after(this.#latencyMs, arrive)
  }

  #close({ node, link }: End): void {
    if (node.ends.delete(link)) this.post(node, { type: 'closed', link })
  }

  #breaks({ node, link }: End): void {
    const { machine } = node
    this.timeline.after(this.#random.between(this.#latencyMs, noticeMs), () => {
      if (node.machine !== machine) return
      node.ends.delete(link)
      this.post(node, { type: 'closed', link })
    })
  }
}

/** 32 hexadecimal digits that look random. */
function idOf(text: string): string {
  let id = ''
  for (let part = 0; part < 4; part++) {
    let hash = 0x811c9dc5 ^ Math.imul(part, 0x9e3779b1)
    for (let i = 0; i < text.length; i++) {
      hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
      hash ^= hash >>> 15
    }
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
    id += ((hash ^ (hash >>> 16)) >>> 0).toString(16).padStart(8, '0')
  }
  return id
}
