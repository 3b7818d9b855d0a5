/** What nodes and their master say to each other: what is held and copied, and how it ended. */
import type { RangePair } from '../../base/ranges.js'

/** What somebody says of a content. */
export interface Said {
  readonly name: string
  readonly contentId: string
  /** Null as long as it grows. */
  readonly digest: string | null
  readonly size: number
  readonly isGrowing: boolean
}

/** What a node holds of one content. */
export interface HeldThere extends Said {
  /** Null: all of it. */
  readonly ranges: readonly RangePair[] | null
}

/** What may be responsible for a copy that failed, as its target sees it. */
export type Blamed = 'source' | 'disk' | 'links'

/** How a copy ended. */
export interface Ended {
  /** From the beginning of its range on. */
  readonly bytes: number
  /** Null: all of it came. `absent`: the source said that it has not got it. */
  readonly cause: string | null
  readonly blames: readonly Blamed[]
}

/** A range of a content that a node is to copy from another. */
export interface CopyOrder extends Said {
  /** Unique in one run of the master. */
  readonly copy: number
  readonly range: RangePair
  readonly source: CopySource
  /** Infinity: no cap. */
  readonly bytesPerSecond: number
}

export interface CopySource {
  /** What the master calls the node. */
  readonly name: string
  /** That it proved to the master, and proves to whoever asks it. */
  readonly nodeId: string
  /** HOST:PORT. */
  readonly address: string
}
