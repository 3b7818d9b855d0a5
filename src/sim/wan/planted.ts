/**
 * Planted bugs of the master: mistakes that somebody could make in who copies what from whom. Each
 * is found by some seed of runWanSeed; how they are planted says ../planted.js.
 */
import { FileState } from '../../control/copies/files.js'
import { Holders } from '../../control/copies/holders.js'
import { Master } from '../../control/copies/master.js'
import { Network } from '../../control/copies/network.js'
import { Parked } from '../../control/copies/parked.js'
import { Patience } from '../../control/copies/patience.js'
import { Resources } from '../../control/copies/resources.js'
import { CopyScheduler } from '../../control/copies/scheduler.js'
import { replace, type Undo } from '../planted.js'

export const plantedWan = {
  /** More is allocated than there is. */
  'over-allocated': () =>
    replace(
      Resources,
      'spare',
      (right) =>
        function (this: Resources, id, nowMs) {
          return Math.floor(1.2 * right.call(this, id, nowMs))
        },
    ),
  /** What a link may carry at this time of the day is never looked up. */
  'budget-blind': () =>
    replace(
      Resources,
      'capability',
      () =>
        function (this: Resources, id) {
          const { bytesPerSecond, share = 1 } = this.spec(id)
          return bytesPerSecond === Number.POSITIVE_INFINITY
            ? bytesPerSecond
            : Math.floor(bytesPerSecond * share)
        },
    ),
  /** Nobody who waits for a resource is looked at when it has room. */
  'never-woken': () => replace(Parked, 'released', () => () => []),
  /** A resource that may carry more again is not noticed. */
  'no-dawn': () =>
    replace(
      Resources,
      'changed',
      (right) =>
        function (this: Resources, nowMs) {
          return { ...right.call(this, nowMs), wider: [] }
        },
    ),
  /** What is on its way into a site is not remembered. */
  'crosses-twice': () => replace(FileState, 'crosses', () => () => {}),
  /** A site whose only source has failed counts as having the file. */
  'hidden-behind-failed': () =>
    replace(
      Holders,
      'heldByUsable',
      () =>
        function (this: Holders, site) {
          return this.heldIn(site)
        },
    ),
  /** Nobody is told that a copy is to stop. */
  'untold-stop': () =>
    replace(
      Master,
      'advance',
      (right) =>
        function (this: Master, nowMs) {
          return right.call(this, nowMs).filter(({ type }) => type !== 'stop')
        },
    ),
  /** What a node says that it copies already is not heard. */
  'runs-unheard': () =>
    replace(
      Master,
      'post',
      (right) =>
        function (this: Master, fact, nowMs) {
          right.call(this, fact.type === 'state' ? { ...fact, running: [] } : fact, nowMs)
        },
    ),
  /** A master that follows another one begins at once. */
  'does-not-listen': () =>
    replace(
      Master,
      'post',
      (right) =>
        function (this: Master, fact, nowMs) {
          if (fact.type !== 'heard') right.call(this, fact, nowMs)
        },
    ),
  /** Copies from a node that was drained, and to it, go on. */
  'drains-late': () =>
    replace(
      CopyScheduler,
      'retire',
      () =>
        function (this: CopyScheduler, node, files) {
          this.gone(node, files)
        },
    ),
  /** The links between two sites are left out. */
  'free-ride': () =>
    replace(
      Network,
      'route',
      (right) =>
        function (this: Network, from, to) {
          const way = right.call(this, from, to)
          const [up, down] = [this.uplink(from), this.downlink(to)]
          return way && { ...way, resources: [up, down] }
        },
    ),
  /** Sites that a file may not come from are sources. */
  'no-residency': () =>
    replace(
      FileState,
      'fromOutside',
      (right) =>
        function (this: FileState, ...asked) {
          Object.assign(this, { mayCopy: () => true })
          return right.apply(this, asked)
        },
    ),
  /** That more of a file has come is not heard. */
  'grown-unseen': () => replace(CopyScheduler, 'growFile', () => () => {}),
  /** What is still written is copied in any order. */
  'out-of-order': () =>
    replace(
      FileState,
      'nextFor',
      () =>
        function (this: FileState, { node, coming }) {
          const missing = this.holders.missing(node)
          if (coming !== null) missing.subtract(coming)
          return missing
        },
    ),
  /** What is still written goes from one node to all others of its site. */
  'to-all-at-once': () => replace(FileState, 'givenBy', () => () => 0),
  /** A copy is over before it can be. */
  'no-patience': () =>
    replace(
      Patience,
      'begins',
      (right) =>
        function (this: Patience, copy, nowMs) {
          right.call(this, copy, nowMs - 3_600_000)
        },
    ),
} as const satisfies Record<string, () => Undo>

export type PlantedWanName = keyof typeof plantedWan

/** Runs with a bug, and without it again. */
export function withPlantedWan<T>(name: PlantedWanName, run: () => T): T {
  const undo = plantedWan[name]()
  try {
    return run()
  } finally {
    undo()
  }
}
