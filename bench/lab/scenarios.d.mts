/** Types of scenarios.mjs, for the tests that are written in TypeScript. */
import type { HostSpeeds } from './lab.mjs'

export interface Network {
  readonly bytes: number
  readonly hosts: readonly HostSpeeds[]
  readonly slow?: number
  readonly changes?: readonly {
    readonly at: number
    readonly host: number
    readonly upMbit: number
  }[]
}

export interface Scenario extends Network {
  readonly about: string
  readonly fault?: { readonly host: number; readonly at: number }
}

export type ScenarioName = 'lan8' | 'lan16' | 'hetero8' | 'relay8' | 'slow8' | 'fault8' | 'shift8'

export declare const scenarios: Readonly<Record<ScenarioName, Scenario>>
export declare const quickScenario: Scenario
export declare function boundSeconds(network: Network): number
export declare function slowBoundSeconds(network: Network): number
