/**
 * Which relays are out for now, so that what they were dealt goes another way.
 *
 * The idea: a relay is out when it says nothing, or says that nothing has moved at it although it
 * has bytes to pass on (its disk hangs) while others go on. It stays a member; one that speaks, or
 * moves, is dealt to again. When most of those that lived fall silent at once the cable that is
 * out is most likely the origin's: then nothing is taken back or dealt, because what is under way
 * arrives as soon as the cable is back. Limits grow with how late reports have come lately.
 */
import { isOwnSide } from '../members/detector.js'
import type { DealtRelay } from './relay-queue.js'

/** A relay is dealt nothing after this silence, and its queue is dealt again after the second. */
const suspectMs = 250
const takeBackMs = 600
/** A relay at which nothing moves for this long has its queue dealt again. */
const standMs = 600

export class OutRelays {
  /** Most have fallen silent at once: nothing is decided before one is heard again. */
  isOwnSide = false

  /** A report came. */
  heard(relay: DealtRelay, all: Iterable<DealtRelay>, nowMs: number): void {
    if (relay.out === 'silent') relay.out = 'no'
    if (!this.isOwnSide) return
    this.isOwnSide = false
    // The words of the others come as soon as the system sends them again.
    for (const other of all) if (other.out === 'no') other.heardMs = nowMs
  }

  /** Judges all relays; returns those that are out since now. */
  look(all: readonly DealtRelay[], nowMs: number): DealtRelay[] {
    const living = all.filter((relay) => relay.out === 'no')
    const quiet = living.filter((relay) => quietMs(relay, nowMs) >= suspectMs)
    this.isOwnSide = all.length > 1 && isOwnSide(quiet.length, living.length)
    if (this.isOwnSide) return []
    for (const relay of all) relay.isSilent = relay.out === 'silent' || quiet.includes(relay)
    const standing = living.filter((relay) => relay.stoodMs >= standMs + relay.lateness.ms)
    const out: DealtRelay[] = []
    for (const relay of quiet) {
      if (quietMs(relay, nowMs) < takeBackMs) continue
      relay.out = 'silent'
      out.push(relay)
    }
    if (isOwnSide(standing.length, living.length)) return out
    for (const relay of standing) {
      if (relay.out !== 'no') continue
      relay.out = 'standing'
      out.push(relay)
    }
    return out
  }
}

function quietMs(relay: DealtRelay, nowMs: number): number {
  return nowMs - relay.heardMs - relay.lateness.ms
}

/** It may be dealt something to pass on. */
export function isIn({ isTrusted, out, isSlow, isResting }: DealtRelay): boolean {
  return isTrusted && out === 'no' && !isSlow && !isResting
}

/** Those for whom a queue says something: a node that is out holds up nobody who is not. */
export function able(relays: readonly DealtRelay[]): readonly DealtRelay[] {
  const others = relays.filter((relay) => relay.out === 'no')
  return others.length > 0 ? others : relays
}
