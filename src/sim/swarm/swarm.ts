/**
 * Nodes that pull one content, on a virtual clock: the machines of control/swarm over links with a
 * latency and uplinks and downlinks with a rate. What is announced has reached everybody at a time
 * of its own; nodes go and come back, and sites are cut off from each other.
 *
 * An uplink sends one unit after the other, and a downlink takes them so.
 */
import type { SwarmAsk, SwarmPeer } from '../../control/messages/swarming.js'
import { Deals } from '../../control/swarm/deals.js'
import { Pull, type PullWish } from '../../control/swarm/pull.js'
import { UnitSet } from '../../control/swarm/units.js'
import { Random } from '../random.js'
import { Timeline } from '../timeline.js'

export interface SwarmScenario {
  readonly seed: number
  readonly nodes: number
  readonly sites: number
  /** Of the content. */
  readonly units: number
  readonly unitBytes: number
  /** Bytes a second of each node. */
  readonly up: number
  readonly down: number
  readonly latencyMs: { readonly within: number; readonly between: number }
  /** Part of the nodes that qualify; node 0 initiates, and is none of them. */
  readonly qualified: number
  /** Within how many ms all have heard of it. */
  readonly heardMs: number
  /** Part of the nodes that go in a minute, each for `awayMs`, until `untilMs`. */
  readonly churn?: { readonly perMinute: number; readonly awayMs: number; readonly untilMs: number }
  /** In this time sites reach nobody outside. */
  readonly cut?: { readonly fromMs: number; readonly toMs: number; readonly sites: number }
  /** In this time; what is not done then never is. */
  readonly mostMs: number
}

export interface SwarmResult {
  /** Qualified nodes that have all of it; that lack something. */
  readonly complete: number
  readonly lacking: number
  /** Nodes that do not qualify and have something. */
  readonly strangers: number
  readonly originBytes: number
  /** Bytes that came into each site from others. */
  readonly enteredBytes: readonly number[]
  /** Bytes that came twice. */
  readonly wastedBytes: number
  readonly asks: number
  /** When the last node had all of it. */
  readonly endMs: number
}

interface Node {
  readonly peer: SwarmPeer
  readonly index: number
  readonly site: number
  readonly isQualified: boolean
  readonly deals: Deals
  pull: Pull | undefined
  have: UnitSet
  isUp: boolean
  /** Counts its lives: what began in an earlier one comes to nothing. */
  life: number
  /** When the uplink has sent, and the downlink has taken, all that is under way. */
  sentMs: number
  takenMs: number
  /** When it looks again: at what it pulls, and at questions that wait. */
  wakeMs: number
  answerMs: number
}

export function runSwarm(scenario: SwarmScenario): SwarmResult {
  return new SwarmWorld(scenario).run()
}

class SwarmWorld {
  readonly #scenario: SwarmScenario
  readonly #timeline = new Timeline()
  readonly #random: Random
  readonly #nodes: Node[] = []
  readonly #byId = new Map<string, Node>()
  readonly #entered: number[]
  /** Questions that wait at a holder: how their answers go back. */
  readonly #open = new Map<number, (answer: Parameters<Pull['answered']>[1]) => void>()
  #nextAsk = 0
  #originBytes = 0
  #wastedBytes = 0
  #endMs = 0

  constructor(scenario: SwarmScenario) {
    this.#scenario = scenario
    this.#random = new Random(scenario.seed)
    this.#entered = Array.from({ length: scenario.sites }, () => 0)
    for (let index = 0; index < scenario.nodes; index++) this.#add(index)
  }

  run(): SwarmResult {
    const { mostMs, heardMs } = this.#scenario
    for (const node of this.#nodes)
      if (node.isQualified)
        this.#timeline.at(this.#random.between(0, heardMs), () => this.#hear(node))
    this.#planChurn()
    while (this.#timeline.nowMs < mostMs && !this.#isDone() && this.#timeline.step());
    const qualified = this.#nodes.filter(({ isQualified }) => isQualified)
    const complete = qualified.filter(({ have }) => have.isAll).length
    const others = this.#nodes.slice(1).filter(({ isQualified }) => !isQualified)
    return {
      ...{ complete, lacking: qualified.length - complete },
      strangers: others.filter(({ have }) => have.size > 0).length,
      ...{ originBytes: this.#originBytes, enteredBytes: this.#entered },
      ...{ wastedBytes: this.#wastedBytes, asks: this.#nextAsk, endMs: this.#endMs },
    }
  }

  #add(index: number): void {
    const { units, sites, qualified } = this.#scenario
    const site = index % sites
    const nodeId = `n${index}`
    const peer = { nodeId, address: `${nodeId}:1`, site: `s${site}` }
    const have = new UnitSet(units)
    if (index === 0) for (let unit = 0; unit < units; unit++) have.add(unit)
    const node: Node = {
      ...{ peer, index, site, have, pull: undefined },
      isQualified: index > 0 && this.#random.chance(qualified),
      deals: new Deals({ count: units, isInitiator: index === 0, site: peer.site }),
      ...{ isUp: true, life: 0, sentMs: 0, takenMs: 0, wakeMs: Number.POSITIVE_INFINITY },
      answerMs: Number.POSITIVE_INFINITY,
    }
    this.#nodes.push(node)
    this.#byId.set(nodeId, node)
  }

  #planChurn(): void {
    const { churn, nodes } = this.#scenario
    if (churn === undefined) return
    const gone = Math.round((churn.untilMs / 60_000) * churn.perMinute * nodes)
    for (let each = 0; each < gone; each++) {
      const node = this.#nodes[this.#random.integer(1, nodes - 1)] as Node
      this.#timeline.at(this.#random.between(0, churn.untilMs), () => this.#leave(node))
    }
  }

  #leave(node: Node): void {
    if (!node.isUp) return
    node.isUp = false
    node.life++
    node.pull = undefined
    this.#timeline.after(this.#scenario.churn?.awayMs ?? 0, () => {
      node.isUp = true
      if (node.isQualified) this.#hear(node)
    })
  }

  #isDone(): boolean {
    return this.#endMs > 0 && this.#lacking === 0
  }

  get #lacking(): number {
    let lacking = 0
    for (const { isQualified, have, isUp, pull } of this.#nodes)
      if (isQualified && !(have.isAll && (pull !== undefined || !isUp))) lacking++
    return lacking
  }

  /** It has been told of the content, or is there again and knows it. */
  #hear(node: Node): void {
    if (!node.isUp || node.pull !== undefined) return
    const { units } = this.#scenario
    const initiator = (this.#nodes[0] as Node).peer
    const order = Array.from({ length: units }, (_, unit) => unit)
    const spec = { contentId: 'c', count: units, order, self: node.peer, initiator }
    node.pull = new Pull(spec, node.have, this.#timeline.nowMs)
    this.#turn(node)
  }

  #turn(node: Node): void {
    const { nowMs } = this.#timeline
    const { pull } = node
    if (!node.isUp || pull === undefined) return
    for (const wish of pull.due(nowMs)) this.#carryOut(node, pull, wish)
    const nextMs = pull.nextMs(nowMs)
    if (nextMs >= node.wakeMs) return
    node.wakeMs = nextMs
    this.#timeline.at(Math.max(nextMs, nowMs + 1), () => {
      if (node.wakeMs !== nextMs) return
      node.wakeMs = Number.POSITIVE_INFINITY
      this.#turn(node)
    })
  }

  #carryOut(node: Node, pull: Pull, wish: PullWish): void {
    if (wish.type === 'ask') return this.#ask(node, pull, wish.to.nodeId, wish.ask)
    // What is on its way comes all the same.
    if (wish.type === 'stop') return
    const { from, order, first, count } = wish
    const source = this.#byId.get(from.nodeId) as Node
    this.#bring(node, pull, source, { order, first, count })
  }

  #ask(node: Node, pull: Pull, to: string, ask: SwarmAsk): void {
    const { life } = node
    const holder = this.#byId.get(to) as Node
    const askedMs = this.#timeline.nowMs
    const latencyMs = this.#latency(node, holder)
    const number = this.#nextAsk++
    const isOver = (): boolean => node.life !== life || node.pull !== pull
    const fail = (): void => {
      this.#open.delete(number)
      if (isOver()) return
      pull.unanswered(to, this.#timeline.nowMs)
      this.#turn(node)
    }
    const holderLife = holder.life
    this.#timeline.after(latencyMs, () => {
      if (!this.#reaches(node, holder) || holder.life !== holderLife || isOver())
        return this.#timeline.after(latencyMs + 100, fail)
      const isAnswering = holder.have.size > 0 || holder.pull !== undefined
      if (!isAnswering) return this.#timeline.after(latencyMs, fail)
      this.#open.set(number, (answer) => {
        this.#timeline.after(latencyMs, () => {
          if (isOver()) return
          if (!this.#reaches(node, holder)) return fail()
          pull.answered(to, answer, this.#timeline.nowMs - askedMs, this.#timeline.nowMs)
          this.#turn(node)
        })
      })
      holder.deals.asked(number, node.peer, ask, this.#timeline.nowMs)
      this.#answer(holder)
      this.#timeline.after(5_000, () => {
        if (this.#open.has(number)) fail()
      })
    })
  }

  /** Gives the answers that are due at a holder, and looks again in time. */
  #answer(holder: Node): void {
    const { nowMs } = this.#timeline
    if (!holder.isUp) return
    const coming = holder.pull?.coming ?? new UnitSet(this.#scenario.units)
    for (const { ask, answer } of holder.deals.due({ have: holder.have, coming }, nowMs)) {
      this.#open.get(ask)?.(answer)
      this.#open.delete(ask)
    }
    const { dueMs } = holder.deals
    if (dueMs >= holder.answerMs) return
    holder.answerMs = dueMs
    this.#timeline.at(Math.max(dueMs, nowMs + 1), () => {
      if (holder.answerMs !== dueMs) return
      holder.answerMs = Number.POSITIVE_INFINITY
      this.#answer(holder)
    })
  }

  #bring(
    node: Node,
    pull: Pull,
    source: Node,
    { order, first, count }: { order: number; first: number; count: number },
  ): void {
    const { up, down, unitBytes } = this.#scenario
    const [life, sourceLife] = [node.life, source.life]
    const { nowMs } = this.#timeline
    const bytes = count * unitBytes
    const latencyMs = this.#latency(node, source)
    const [upMs, downMs] = [(bytes / up) * 1_000, (bytes / down) * 1_000]
    source.sentMs = Math.max(source.sentMs, nowMs + latencyMs) + upMs
    this.#timeline.at(source.sentMs + latencyMs - downMs, () => {
      node.takenMs = Math.max(node.takenMs, this.#timeline.nowMs) + downMs
      this.#timeline.at(node.takenMs, over)
    })
    const over = (): void => {
      const isLost = source.life !== sourceLife || !this.#reaches(node, source)
      if (!isLost && source.index === 0) this.#originBytes += bytes
      if (!isLost && source.site !== node.site)
        this.#entered[node.site] = (this.#entered[node.site] as number) + bytes
      if (node.life !== life) return
      if (!isLost) this.#landed(node, first, count)
      pull.ended(order, !isLost, this.#timeline.nowMs)
      this.#turn(node)
      this.#answer(node)
    }
  }

  #landed(node: Node, first: number, count: number): void {
    for (let unit = first; unit < first + count; unit++) {
      if (node.have.has(unit)) this.#wastedBytes += this.#scenario.unitBytes
      node.have.add(unit)
    }
    if (node.have.isAll) this.#endMs = this.#timeline.nowMs
  }

  #latency(a: Node, b: Node): number {
    const { within, between } = this.#scenario.latencyMs
    return a.site === b.site ? within : between
  }

  #reaches(a: Node, b: Node): boolean {
    const { cut } = this.#scenario
    const { nowMs } = this.#timeline
    if (!a.isUp || !b.isUp) return false
    const isCut = cut !== undefined && nowMs >= cut.fromMs && nowMs < cut.toMs
    return !isCut || a.site === b.site || (a.site >= cut.sites && b.site >= cut.sites)
  }
}
