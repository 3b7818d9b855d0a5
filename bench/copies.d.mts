/** Types of copies.mjs, for the tests that are written in TypeScript. */
export interface CopyTrial {
  readonly ms: number
  readonly wallMs: number
}

export interface CopyRow {
  readonly where: string
  readonly name: string
  readonly ms: string | null
  readonly met?: string
  readonly missed: readonly string[]
}

export declare function isAllowed(ms: number, otherMs: number): boolean
export declare function copyRows(
  where: string,
  trials: ReadonlyMap<string, readonly CopyTrial[]>,
  absent: string | null,
): CopyRow[]
