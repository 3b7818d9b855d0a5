/** Sets of files as people declare them: what they are for is in control/copies/sets.ts. */
import type { Criteria } from '../../base/criteria.js'

export interface SetFile {
  readonly name: string
  /** Null: the latest that anybody holds. */
  readonly digest: string | null
  /** Bytes that it is to have, where whoever wrote the set knew. */
  readonly size?: number
}

export interface FileSet {
  readonly name: string
  readonly files: readonly SetFile[]
  /** Which nodes are to hold them; null: none but those that are named. */
  readonly where: Criteria | null
  /** Nodes that are to hold them as well. */
  readonly nodes?: readonly string[]
  /** 0 to 10. */
  readonly priority: number
  /** Sites whose nodes may not hold them, by criteria of the node; null: none. */
  readonly never: Criteria | null
  /** Nodes copy from those alone that these criteria mean, or from their own site; null: any. */
  readonly from: Criteria | null
  /** It is of the master's own directory, and goes when it is there no more. */
  readonly isOwn?: true
}
