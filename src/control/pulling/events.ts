/** What a node wishes for when a mate asks it for bytes. */
import type { Failure } from '../../base/errors.js'
import type { RangePair } from '../../base/ranges.js'

export type ServeWish =
  /** Reply to the mate that these ranges are held, and list them on a data connection to it. */
  | {
      readonly type: 'serve'
      readonly member: number
      /** The number of the mate's request. */
      readonly request: number
      readonly ranges: readonly RangePair[]
    }
  /** Reply with the failure, and close the link: no honest mate asks for this. */
  | {
      readonly type: 'reject'
      readonly member: number
      readonly request: number
      readonly failure: Failure
    }
  /** Send the mate, on a data connection, what is signed here of the digests of these ranges. */
  | { readonly type: 'prove'; readonly member: number; readonly ranges: readonly RangePair[] }
