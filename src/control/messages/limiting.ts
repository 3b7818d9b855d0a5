/** How a client changes what a node may use while it runs. Pure data. */

/** From now on, what one transfer of the node or all together may use. */
export interface LimitFrame {
  readonly type: 'limit'
  /** Null: all transfers together. */
  readonly transfer: string | null
  /** Missing: it stays as it is; null: no limit. */
  readonly upBytesPerSecond?: number | null
  readonly downBytesPerSecond?: number | null
}

/** It holds. What applies now; null: no limit. */
export interface LimitedFrame {
  readonly type: 'limited'
  readonly upBytesPerSecond: number | null
  readonly downBytesPerSecond: number | null
}
