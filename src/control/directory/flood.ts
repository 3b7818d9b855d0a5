/**
 * Announcements flood the directory: whoever hears of one that is new to it sends it to all its
 * neighbours but the one it came from.
 *
 * The idea: a record travels along each edge at most once each way. Neighbours that meet (again)
 * compare the ids of all that they know, and each asks for what it lacks, a few at a time, so that
 * who was away catches up at its own pace. Too many at once, of one author or from one neighbour,
 * are dropped and asked for later, when they are among what the neighbour still knows.
 *
 * Never: an announcement to its own initiator, a record that was not verified to anybody.
 */
import { base64urlOf } from '../../base/bytes.js'
import { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { NeighbourFrame } from '../messages/directory.js'
import { Allowance } from './allowance.js'
import { History, type Kept, type Taken } from './history.js'

export type FloodWish =
  | { readonly type: 'say'; readonly link: number; readonly frame: NeighbourFrame }
  /** This node has not heard of it before. */
  | ({ readonly type: 'told' } & Kept)
  | ({ readonly type: 'keep' } & Kept)
  | { readonly type: 'forget'; readonly id: string }

interface Neighbour {
  readonly link: number
  readonly nodeId: string
  readonly allowance: Allowance
  /** What it knows and this node lacks. */
  lacking: Set<string>
  /** What it was asked for. */
  asked: Set<string>
  /** When it is asked again what it knows; infinite: nothing of it was dropped. */
  askMs: number
}

export class Flood {
  readonly history = new History()
  readonly #wishes: FloodWish[] = []
  readonly #neighbours = new Map<number, Neighbour>()
  /** The author heard of last is the last one. */
  readonly #authors = new Map<string, Allowance>()
  #expiresMs = Number.POSITIVE_INFINITY
  #dropped = 0

  /** Announcements that came too fast. */
  get dropped(): number {
    return this.#dropped
  }

  get neighbours(): number {
    return this.#neighbours.size
  }

  takeWishes(): FloodWish[] {
    return this.#wishes.splice(0)
  }

  /** When `due` has something to do. */
  get dueMs(): number {
    let dueMs = this.#expiresMs
    for (const { askMs } of this.#neighbours.values()) dueMs = Math.min(dueMs, askMs)
    return dueMs
  }

  due(nowMs: number): void {
    if (this.#expiresMs <= nowMs) {
      for (const kept of this.history.expire(nowMs)) this.#forget(kept)
      this.#expiresMs = this.history.expiresMs
    }
    for (const neighbour of this.#neighbours.values()) {
      if (neighbour.askMs > nowMs) continue
      neighbour.askMs = Number.POSITIVE_INFINITY
      this.#say(neighbour, { type: 'askKnown' })
    }
  }

  /** What was known before this process. Nobody is told of it. */
  restore(kept: Kept, nowMs: number): Taken {
    const { taken, dropped } = this.history.add(kept, nowMs)
    for (const one of dropped) this.#forget(one)
    if (taken !== 'new') this.#wishes.push({ type: 'forget', id: kept.announcement.id })
    else this.#wishes.push({ type: 'told', announcement: kept.announcement, record: kept.record })
    this.#expiresMs = this.history.expiresMs
    return taken
  }

  joined(link: number, nodeId: string, nowMs: number): void {
    const { neighbourBurst, neighbourPerSecond } = limits
    const allowance = new Allowance(neighbourBurst, neighbourPerSecond, nowMs)
    const neighbour: Neighbour = {
      ...{ link, nodeId, allowance, lacking: new Set(), asked: new Set() },
      askMs: Number.POSITIVE_INFINITY,
    }
    this.#neighbours.set(link, neighbour)
    this.#sayKnown(neighbour)
  }

  left(link: number): void {
    this.#neighbours.delete(link)
    for (const neighbour of this.#neighbours.values()) this.#ask(neighbour)
  }

  /** Of this node's own. Throws FrError where nobody would take it. */
  announce(kept: Kept, nowMs: number): void {
    const { announcement } = kept
    const fault = faultOf(this.history.judge(announcement, nowMs))
    if (fault !== null) throw fault
    if (this.history.get(announcement.id) !== undefined) return
    if (!this.#mayTake(announcement.author, nowMs))
      throw new FrError('ERR_FR_LIMIT', 'this author has announced too much in a short time')
    const taken = this.#add(kept, null, nowMs)
    if (taken === 'full')
      throw new FrError('ERR_FR_LIMIT', 'there are too many announcements already')
  }

  /**
   * Whether a record is of use, before it is verified: it is not when it is known, or came too
   * fast. False: it needs no more attention.
   */
  isWanted(link: number, id: string, nowMs: number): boolean {
    const neighbour = this.#neighbours.get(link)
    if (neighbour === undefined) return false
    neighbour.lacking.delete(id)
    if (this.history.get(id) !== undefined) return false
    if (neighbour.asked.has(id) || neighbour.allowance.take(nowMs)) return true
    this.#drop(neighbour, nowMs)
    return false
  }

  /** A record that was verified. */
  took(link: number, kept: Kept, nowMs: number): void {
    const neighbour = this.#neighbours.get(link)
    if (neighbour === undefined) return
    const { announcement } = kept
    if (this.history.judge(announcement, nowMs) !== 'new') return
    if (!this.#mayTake(announcement.author, nowMs)) return this.#drop(neighbour, nowMs)
    this.#add(kept, neighbour, nowMs)
  }

  said(link: number, frame: Exclude<NeighbourFrame, { type: 'mate' | 'spread' }>): void {
    const neighbour = this.#neighbours.get(link)
    if (neighbour === undefined) return
    switch (frame.type) {
      case 'known':
        neighbour.lacking = new Set(frame.ids.filter((id) => this.history.get(id) === undefined))
        return this.#ask(neighbour)
      case 'askKnown':
        return this.#sayKnown(neighbour)
      case 'wanted':
        for (const id of frame.ids) {
          const kept = this.history.get(id)
          if (kept !== undefined) this.#send(neighbour, kept)
        }
        return this.#say(neighbour, { type: 'given' })
      case 'given':
        for (const id of neighbour.asked) neighbour.lacking.delete(id)
        neighbour.asked.clear()
        for (const other of this.#neighbours.values()) this.#ask(other)
        return
      default:
        return frame satisfies never
    }
  }

  #add(kept: Kept, from: Neighbour | null, nowMs: number): Taken {
    const { taken, dropped } = this.history.add(kept, nowMs)
    for (const one of dropped) this.#forget(one)
    if (taken !== 'new') return taken
    this.#expiresMs = Math.min(this.#expiresMs, this.history.expiresMs)
    const { announcement, record } = kept
    this.#wishes.push({ type: 'keep', announcement, record })
    this.#wishes.push({ type: 'told', announcement, record })
    for (const neighbour of this.#neighbours.values())
      if (neighbour !== from) this.#send(neighbour, kept)
    return taken
  }

  #send(neighbour: Neighbour, { announcement: { id, initiator }, record }: Kept): void {
    if (initiator.nodeId === neighbour.nodeId) return
    this.#say(neighbour, { type: 'spread', id, record: base64urlOf(record) })
  }

  #sayKnown(neighbour: Neighbour): void {
    const ids: string[] = []
    for (const { announcement } of this.history.all)
      if (announcement.initiator.nodeId !== neighbour.nodeId) ids.push(announcement.id)
    this.#say(neighbour, { type: 'known', ids })
  }

  /** Each record is asked of one neighbour at a time. */
  #ask(neighbour: Neighbour): void {
    if (neighbour.asked.size > 0) return
    for (const id of neighbour.lacking) {
      if (neighbour.asked.size === limits.wantedAtOnce) break
      if (this.history.get(id) !== undefined) neighbour.lacking.delete(id)
      else if (!this.#isAsked(id)) neighbour.asked.add(id)
    }
    if (neighbour.asked.size > 0)
      this.#say(neighbour, { type: 'wanted', ids: [...neighbour.asked] })
  }

  #isAsked(id: string): boolean {
    for (const { asked } of this.#neighbours.values()) if (asked.has(id)) return true
    return false
  }

  #drop(neighbour: Neighbour, nowMs: number): void {
    this.#dropped += 1
    neighbour.askMs = Math.min(neighbour.askMs, nowMs + limits.historyAskMs)
  }

  #mayTake(author: string, nowMs: number): boolean {
    const { authorBurst, authorPerSecond } = limits
    const known = this.#authors.get(author)
    const allowance = known ?? new Allowance(authorBurst, authorPerSecond, nowMs)
    this.#authors.delete(author)
    this.#authors.set(author, allowance)
    const [oldest] = this.#authors.keys()
    if (this.#authors.size > limits.authorsKnown) this.#authors.delete(oldest as string)
    return allowance.take(nowMs)
  }

  #forget({ announcement: { id } }: Kept): void {
    this.#wishes.push({ type: 'forget', id })
  }

  #say({ link }: Neighbour, frame: NeighbourFrame): void {
    this.#wishes.push({ type: 'say', link, frame })
  }
}

function faultOf(taken: Exclude<Taken, 'full'>): FrError | null {
  switch (taken) {
    case 'new':
    case 'known':
      return null
    case 'superseded':
      return new FrError('ERR_FR_STALE', 'there is a newer announcement of this content')
    case 'late':
      return new FrError('ERR_FR_STALE', 'the announcement has expired')
    case 'early':
      return new FrError('ERR_FR_STALE', 'the announcement is from the future: check the clocks')
    default:
      return taken satisfies never
  }
}
