/** Options of `waitFor`. */
export interface WaitOptions {
  /** HOST[:PORT] of the node that copies. */
  via: string
  key?: Uint8Array | string
  signal?: AbortSignal
  /** Milliseconds without a word of the node; default 35,000. */
  timeoutMs?: number
}
