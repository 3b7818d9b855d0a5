/** What several masters keep their state in: values by key, one of which only one can replace. */

export interface StoredHead {
  /** Grows with each value. */
  readonly revision: number
  /** None: it was deleted. */
  readonly bytes: Uint8Array
}

/** Where there is no answer in time a call rejects with an FrError; then it may have been done. */
export interface Bucket {
  /** Null: there is none. */
  head(): Promise<StoredHead | null>
  /**
   * Resolves to its new revision. Rejects with ERR_FR_NOT_LEADING where what is stored has not this
   * revision; 0: nothing is stored.
   */
  replaceHead(bytes: Uint8Array, revision: number): Promise<number>
  /** Takes the place of what is there. ERR_FR_NO_SPACE. */
  put(key: string, bytes: Uint8Array): Promise<void>
  get(key: string): Promise<Uint8Array | null>
  /** First parts of the keys that there are. */
  generations(): Promise<string[]>
  /** All keys that begin with it. */
  clear(generation: string): Promise<void>
  /** Idempotent. */
  close(): Promise<void>
}
