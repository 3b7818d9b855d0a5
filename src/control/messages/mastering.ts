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

/** A file that a node is to hold. */
export interface RequiredFile {
  readonly name: string
  /** Null: the latest version. */
  readonly digest: string | null
  /** 0 to 10. */
  readonly priority: number
}

/** What a copy has brought from its source so far. */
export interface Carried {
  readonly copy: number
  readonly bytes: number
}

/** What a node says to its master. */
export type NodeToMaster =
  /** The first word of a link. */
  | {
      readonly type: 'enlist'
      /** HOST:PORT where others reach it; a host that means all: where it dials from. */
      readonly address: string
      /** Bytes a second that it may send and take; null: as much as there is. */
      readonly up: number | null
      readonly down: number | null
    }
  /**
   * All that it holds, page by page, until `underway`; then what has come or changed, and what is
   * gone; in any case every so often.
   */
  | {
      readonly type: 'holdings'
      readonly held: readonly HeldThere[]
      readonly gone: readonly Pick<Said, 'name' | 'contentId'>[]
      /** Of copies that have brought something since this was said last. */
      readonly carried: readonly Carried[]
      /** Beside what it holds. */
      readonly freeBytes: number
    }
  /** It has said all that it holds, and these copies are under way, whoever ordered them. */
  | { readonly type: 'underway'; readonly copies: readonly CopyOrder[] }
  | ({ readonly type: 'copied'; readonly copy: number } & Ended)

/** What a master says to a node, beside `beat`. */
export type MasterToNode =
  /** The first word of one of several masters: it leads, for this term of what they keep. */
  | { readonly type: 'leads'; readonly state: string; readonly term: number }
  /** The last word of one that does not lead. HOST:PORT of who does; null: nobody knows. */
  | { readonly type: 'elsewhere'; readonly address: string | null }
  | ({ readonly type: 'order' } & CopyOrder)
  | { readonly type: 'orderRate'; readonly copy: number; readonly bytesPerSecond: number }
  | { readonly type: 'orderStop'; readonly copy: number }
  /** The next page of all that the node is to hold; the last one replaces what was there. */
  | {
      readonly type: 'required'
      readonly files: readonly RequiredFile[]
      readonly isFirst: boolean
      readonly isLast: boolean
    }
