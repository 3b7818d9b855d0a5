/**
 * Planted bugs: mistakes that somebody could make in the shipping machines, or in an engine. Each
 * must be found by some seed; one that no seed finds shows what the checkers or scenarios miss.
 *
 * A bug replaces one method of one machine, or of the simulated engine, from outside and for as
 * long as a run takes. So nothing has a switch for it, and this room is no part of the package.
 */
import { BrokenFeeds } from '../control/coordinator/broken-feeds.js'
import { OriginExchange } from '../control/coordinator/exchange.js'
import { OriginOutbox } from '../control/coordinator/outbox.js'
import { DealtRelay } from '../control/dealing/relay-queue.js'
import { StreamLedger } from '../control/holdings/ledger.js'
import { ReceivedBytes } from '../control/holdings/mate-bytes.js'
import { Detector } from '../control/members/detector.js'
import type { Peer } from '../control/members/peer.js'
import type { Frame, Term } from '../control/messages/types.js'
import { Puller } from '../control/pulling/puller.js'
import { Backlog } from '../control/receiver/backlog.js'
import { BlockHashing } from '../control/receiver/block-hashing.js'
import { FoundBlocks } from '../control/receiver/found.js'
import { Replica } from '../control/receiver/replica.js'
import { NodeReports } from '../control/receiver/reports.js'
import { Takeover } from '../control/receiver/takeover.js'
import { SimEngine } from './engine.js'

export type Undo = () => void

/** The method is wrong until it is undone; `wrong` is given the right one. */
export function replace<T extends object, K extends keyof T>(
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

/** The same for what is read like a value. */
export function replaceGetter(
  { prototype }: { readonly prototype: object },
  name: string,
  wrong: (right: unknown, of: object) => unknown,
): Undo {
  const own = Object.getOwnPropertyDescriptor(prototype, name) as PropertyDescriptor
  Object.defineProperty(prototype, name, {
    configurable: true,
    get(this: object) {
      return wrong(own.get?.call(this), this)
    },
  })
  return () => Object.defineProperty(prototype, name, own)
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
        function (this: OriginExchange, peer, nowMs) {
          const others = right.call(this, peer, nowMs)
          Object.defineProperty(peer, 'isServing', { value: false })
          this.left(peer, 0)
          return others
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
  /** Detection: whoever is suspected is lost. */
  'hasty-detector': () =>
    replace(
      Detector,
      'health',
      (right) =>
        function (this: Detector, peer, nowMs) {
          const health = right.call(this, peer, nowMs)
          return health === 'suspected' ? 'lost' : health
        },
    ),
  /** Takeover: the standbys wait for each other. */
  'no-successor': () => replaceGetter(Takeover, 'dueMs', () => Number.POSITIVE_INFINITY),
  /** Takeover: the second half of the roster comes too late for a standby. */
  'short-roster': () =>
    replace(
      Replica,
      'take',
      (right) =>
        function (this: Replica, frame) {
          const entries = frame.entries.slice(0, Math.ceil(frame.entries.length / 2))
          return right.call(this, { ...frame, entries })
        },
    ),
  /** Takeover: whoever has taken a term takes it again. */
  'term-again': () => {
    const taken = new WeakMap<Takeover, Term>()
    return replace(
      Takeover,
      'take',
      (right) =>
        function (this: Takeover, nowMs) {
          const term = right.call(this, nowMs) ?? taken.get(this)
          if (term !== undefined) taken.set(this, term)
          return term
        },
    )
  },
  /** Reports: what has landed counts as verified. */
  'landed-counts': () =>
    replace(
      NodeReports,
      'sampled',
      (right) =>
        function (this: NodeReports, sample, known, isLast) {
          return right.call(this, sample, { ...known, verifiedBytes: sample.landedBytes }, isLast)
        },
    ),
  /** Repair: each is copied into the file twice. */
  'copied-twice': () =>
    replace(
      BlockHashing,
      'copyIn',
      (right) =>
        function (this: BlockHashing, runs) {
          return right.call(this, [...runs, ...runs])
        },
    ),
  /** Journal: what an earlier transfer left is taken in twice. */
  'found-twice': () =>
    replace(
      FoundBlocks,
      'prepared',
      (right) =>
        function (this: FoundBlocks, ...found) {
          right.apply(this, found)
          right.apply(this, found)
        },
    ),
  /** Links: a connection of the origin that breaks ends its node. */
  'never-reopened': () =>
    replace(BrokenFeeds, 'unfed', () => (peer, failure, nowMs) => peer.unfed(failure, nowMs)),
  /** Journal: blocks found in an older file count without a look at them. */
  'blind-trust': () =>
    replace(
      StreamLedger,
      'confirm',
      () =>
        function (this: StreamLedger, { offset, length }) {
          for (let at = offset; at < offset + length; at += this.blockBytes) {
            const block = Math.floor(at / this.blockBytes)
            const from = block * this.digestBytes
            const announced = this.digests.slice(from, from + this.digestBytes)
            this.compute(at, this.bytesOf(block), announced)
          }
          return [[offset, length]]
        },
    ),
  /** Older content: blocks that were filled from it count without a look at them. */
  'blind-fill': () =>
    replace(
      StreamLedger,
      'compute',
      (right) =>
        function (this: StreamLedger, offset, length, digests) {
          const said = digests.slice()
          for (let at = offset; at < offset + length; at += this.blockBytes) {
            const block = Math.floor(at / this.blockBytes)
            if (!this.filled.contains(at, this.bytesOf(block))) continue
            const from = block * this.digestBytes
            const announced = this.digests.slice(from, from + this.digestBytes)
            said.set(announced, ((at - offset) / this.blockBytes) * this.digestBytes)
          }
          return right.call(this, offset, length, said)
        },
    ),
  /** Publication: a file is summed up that lacks its last block. */
  'early-publish': () =>
    replaceGetter(StreamLedger, 'isVerified', (right, ledger) => {
      const { verifiedBytes, size, blockBytes } = ledger as StreamLedger
      return right === true || (size > blockBytes && verifiedBytes >= size - blockBytes)
    }),
  /** Repair: a block that was copied in stays wrong. */
  'lost-repair': () => replace(StreamLedger, 'repaired', () => () => {}),
  /** Membership: nobody hears of those that leave. */
  'left-untold': () =>
    replace(
      OriginExchange,
      'left',
      () =>
        function (this: OriginExchange) {
          return []
        },
    ),
  /** Epochs: a plan goes out with the epoch of the one before. */
  'old-epoch': () =>
    say((frame) =>
      frame.type === 'plan' && frame.phase === 'running' && frame.epoch > 1
        ? [{ ...frame, epoch: 1 }]
        : [frame],
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
