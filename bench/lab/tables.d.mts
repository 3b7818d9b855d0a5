/** Types of tables.mjs, for the tests that are written in TypeScript. */
import type { Report } from '../report.mjs'
import type { Scenario } from './scenarios.mjs'

/** The figures of one run; null: there is none. */
export interface Run {
  readonly seconds: number
  readonly apartSeconds: number | null
  readonly lastOfMedian: number | null
  readonly cpuPerGB: number
  readonly originCpuPerGB: number | null
  readonly originCopies: number
  readonly stolenSeconds: number
}

export interface Entry {
  readonly name: string
  readonly queue: string
  readonly system: string
  readonly runs: readonly Run[]
  readonly failures: readonly string[]
  readonly missing: string | null
}

export interface LabReport extends Report {
  readonly isFailed?: boolean
  readonly isJudged?: boolean
  readonly missed: readonly string[]
}

type Table = Readonly<Record<string, Scenario>>

export declare function merged(entries: readonly Entry[]): Entry[]
export declare function labReport(
  suite: string,
  title: string,
  table: Table,
  entries: readonly Entry[],
  notes: readonly string[],
): LabReport
export declare function comparisons(
  suite: string,
  table: Table,
  entries: readonly Entry[],
): LabReport[]
export declare function whereEachWins(table: Table, entries: readonly Entry[]): string[]
