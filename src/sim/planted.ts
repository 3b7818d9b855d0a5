/**
 * Planted bugs: mistakes that somebody could make in the shipping machines, or in an engine. Each
 * must be found by some seed; one that no seed finds shows what the checkers or scenarios miss.
 *
 * A bug replaces one method of one machine, or of the simulated engine, from outside and for as
 * long as a run takes. So nothing has a switch for it, and this room is no part of the package.
 */
import { OriginExchange } from '../control/coordinator/exchange.js'
import { OriginOutbox } from '../control/coordinator/outbox.js'
import { DealtRelay } from '../control/dealing/relay-queue.js'
import { StreamLedger } from '../control/holdings/ledger.js'
import { ReceivedBytes } from '../control/holdings/mate-bytes.js'
import type { Peer } from '../control/members/peer.js'
import type { Frame } from '../control/messages/types.js'
import { Puller } from '../control/pulling/puller.js'
import { Backlog } from '../control/receiver/backlog.js'
import { SimEngine } from './engine.js'

type Undo = () => void

/** The method is wrong until it is undone; `wrong` is given the right one. */
function replace<T extends object, K extends keyof T>(
  { prototype }: { readonly prototype: T },
  name: K,
  wrong: (right: T[K]) => T[K],
): Undo {
  const right = prototype[name]
  prototype[name] = wrong(right)
  return () => {
    prototype[name] = right
  }
}

/** What the origin says is changed, or left out (no frame), or said twice. */
function say(wrong: (frame: Frame, peer: Peer) => readonly Frame[]): Undo {
  return replace(
    OriginOutbox,
    'say',
    (right) =>
      function (this: OriginOutbox, peer, frame) {
        for (const one of wrong(frame, peer)) right.call(this, peer, one)
      },
  )
}

export const planted = {
  /** The last block of the file, which is short, is never asked for. */
  'last-block': () =>
    replace(
      StreamLedger,
      'missing',
      (right) =>
        function (this: StreamLedger, ranges) {
          const missing = right.call(this, ranges)
          const last = this.blocks - 1
          if (last > 0) missing.remove(last * this.blockBytes, this.bytesOf(last))
          return missing
        },
    ),
  /** A mate whose feed opens late is not given the digests that came before. */
  'late-feed': () => replace(SimEngine, 'relayed', () => () => []),
  /** A node that is complete is not told that a mate is gone. */
  'complete-untold': () =>
    say((frame, peer) => (frame.type === 'plan' && peer.phase === 'complete' ? [] : [frame])),
  /** A plan is sent twice: the second one is none. */
  'two-plans': () => say((frame) => (frame.type === 'plan' ? [frame, frame] : [frame])),
  'two-seals': () => say((frame) => (frame.type === 'seal' ? [frame, frame] : [frame])),
  /** A silent node is treated as one that is gone. */
  'away-is-gone': () =>
    replace(
      OriginExchange,
      'away',
      (right) =>
        function (this: OriginExchange, peer) {
          right.call(this, peer)
          Object.defineProperty(peer, 'isServing', { value: false })
          this.left(peer, 0)
        },
    ),
  /** What is taken back of a relay is dealt to nobody else. */
  'lost-take-back': () =>
    replace(
      DealtRelay,
      'takeBack',
      (right) =>
        function (this: DealtRelay) {
          right.call(this)
          return []
        },
    ),
  /** What has landed is still asked of mates. */
  'asked-anyway': () => replace(Puller, 'landed', () => () => []),
  /** Bytes are promised that are not verified yet. */
  'unverified-promise': () => replace(StreamLedger, 'held', () => (ranges) => [...ranges]),
  /** Payload from a mate is counted anew with every report. */
  'counted-twice': () =>
    replace(
      ReceivedBytes,
      'count',
      (right) =>
        function (this: ReceivedBytes, mates) {
          const twice = mates.map(({ member, receivedBytes }) => ({
            member,
            receivedBytes: 2 * receivedBytes,
          }))
          right.call(this, twice)
        },
    ),
  /** Mates that are behind are named in the order of their delay. */
  'odd-frame': () =>
    replace(
      Backlog,
      'report',
      (right) =>
        function (this: Backlog, mates, nowMs) {
          const { backlogBytes, behind } = right.call(this, mates, nowMs)
          return { backlogBytes, behind: [...behind].reverse() }
        },
    ),
} as const satisfies Record<string, () => Undo>

export type PlantedName = keyof typeof planted

export function isPlanted(name: string): name is PlantedName {
  return Object.hasOwn(planted, name)
}

/** Runs something with this bug in the machines. */
export function withPlanted<T>(name: PlantedName, run: () => T): T {
  const undo = planted[name]()
  try {
    return run()
  } finally {
    undo()
  }
}
