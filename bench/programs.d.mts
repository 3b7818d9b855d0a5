/** Types of programs.mjs, for the tests that are written in TypeScript. */

/** Rejects when it is not so in time. */
export declare function until(
  isSo: () => boolean,
  what: string,
  timeoutMs: number,
  pollMs?: number,
): Promise<void>
