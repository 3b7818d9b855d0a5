/** Types of wanted.mjs, for the tests that are written in TypeScript. */
export type Wanted = Readonly<Record<string, number | { readonly atLeast: number }>>

export interface Judged {
  readonly wanted: string | null
  readonly met: string | null
  readonly missed: readonly string[]
}

export declare function judge(
  label: string,
  wanted: Wanted | undefined,
  values: Readonly<Record<string, number | null | undefined>>,
  digits?: number,
): Judged
export declare function missedText(missed: readonly string[], isJudged: boolean): string
