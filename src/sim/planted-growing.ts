/** Planted bugs (planted.ts) of what machines do for a content that is still written. */
import { OriginDigestSends } from '../control/coordinator/digest-sends.js'
import { Floor } from '../control/coordinator/floor.js'
import { Growing } from '../control/receiver/growing.js'
import { replace, type Undo } from './planted.js'

export const plantedGrowing = {
  /** The record that says where the content ends is sent once, whatever becomes of it. */
  'lost-end': () => replace(OriginDigestSends, 'end', () => () => {}),
  /** The floor that is said is a block too far. */
  'far-floor': () =>
    replace(
      Floor,
      'news',
      (right) =>
        function (this: Floor, nowMs) {
          const bytes = right.call(this, nowMs)
          return bytes === null ? null : bytes + 65_536
        },
    ),
  /** What ends inside a block is not looked at before the block is whole. */
  'no-cuts': () =>
    replace(
      Growing,
      'announced',
      (right) =>
        function (this: Growing, run) {
          return run.isFinal ? right.call(this, run) : null
        },
    ),
} as const satisfies Record<string, () => Undo>
