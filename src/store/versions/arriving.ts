/** What versions of a name have to do with a file that is about to come. */
import type { LostAttribute, PublishSpec } from '../../ports.js'

/** A name that another file is about to take. */
export interface Replacing {
  /** Why the file that had the name is not kept, as it was to be; null: nothing failed. */
  readonly warning: string | null
  /** The other file has the name, and its record. Never rejects. */
  done(): Promise<void>
  /** It does not have it, or nobody knows. Never rejects. */
  undo(): Promise<void>
}

/** A place for a version that comes while the name keeps what it has. */
export interface Beside {
  /** That its record is to have. */
  readonly name: Uint8Array
  /** The partial becomes the file of the version. */
  readonly give: (spec: PublishSpec) => Promise<readonly LostAttribute[]>
  /** It is there and has its record, or did not come to be. Never rejects. */
  done(): Promise<void>
}
