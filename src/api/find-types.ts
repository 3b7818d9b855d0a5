/** Options of `findNodes`. */
export interface FindNodesOptions {
  /** Of the nodes; SRV records, which have ports of their own, are then not asked for. */
  port?: number
  signal?: AbortSignal
}
