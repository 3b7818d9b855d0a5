/** Types of scenarios.mjs, for the tests that are written in TypeScript. */
import type { Wanted } from '../wanted.mjs'
import type { HostSpeeds } from './lab.mjs'

export interface Network {
  readonly bytes: number
  readonly hosts: readonly HostSpeeds[]
  readonly slow?: number
  readonly joins?: { readonly host: number; readonly at: number }
  readonly changes?: readonly {
    readonly at: number
    readonly host: number
    readonly upMbit: number
  }[]
}

export interface Scenario extends Network {
  readonly about: string
  readonly fault?: { readonly host: number; readonly at: number }
  readonly queues: readonly ('fifo' | 'fair')[]
  readonly wanted?: Wanted
  readonly wantedApart?: Wanted
}

export type ScenarioName =
  | 'lan8'
  | 'lan16'
  | 'hetero8'
  | 'relay8'
  | 'slow8'
  | 'fault8'
  | 'shift8'
  | 'join8'

export declare const scenarios: Readonly<Record<ScenarioName, Scenario>>
export declare const quickScenario: Scenario
export declare function boundSeconds(network: Network): number
export declare function apartBoundSeconds(network: Network): number | null
