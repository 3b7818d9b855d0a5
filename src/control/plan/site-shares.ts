/**
 * What of a link between two sites each of those may use who send over it. Who passes columns on
 * shares the link by how many; others who may have to send something now and then (repairs, what
 * somebody asks for) share a small part of it. All together have no more than the link.
 */
export interface Crosser {
  readonly member: number
  /** Columns that it sends over the link now; 0: it may have to send something else. */
  readonly columns: number
}

/** Part of a link for those who send no column. */
const reserve = 1 / 16

/** Whole bytes a second by member, at least 1. */
export function shareLink(
  bytesPerSecond: number,
  crossers: readonly Crosser[],
): Map<number, number> {
  const columns = crossers.reduce((sum, crosser) => sum + crosser.columns, 0)
  const others = crossers.filter((crosser) => crosser.columns === 0).length
  const forOthers = others === 0 ? 0 : columns === 0 ? 1 : reserve
  const share = (crosser: Crosser): number =>
    crosser.columns === 0 ? forOthers / others : ((1 - forOthers) * crosser.columns) / columns
  return new Map(
    crossers.map((one) => [one.member, Math.max(1, Math.floor(bytesPerSecond * share(one)))]),
  )
}
