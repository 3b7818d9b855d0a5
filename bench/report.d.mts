/** Types of report.mjs, for the tests that are written in TypeScript. */
export interface Report {
  readonly suite: string
  readonly title: string
  readonly columns: readonly {
    readonly key: string
    readonly title: string
    readonly digits?: number
  }[]
  readonly rows: readonly Readonly<Record<string, unknown>>[]
  readonly notes: readonly string[]
  readonly missed?: readonly string[]
}

export declare function median(values: readonly number[]): number
export declare function spread(values: readonly number[], digits?: number): string | null
export declare function tableText(report: Report): string
export declare function reportText(report: Report): string
export declare function appendResults(
  directory: string,
  report: Report,
  circumstances: { readonly machine: string; readonly command: string; readonly date: string },
): void
