/** Types of lab.mjs, for the tests that are written in TypeScript. */
import type { ChildProcess, SpawnOptions } from 'node:child_process'

export interface HostSpeeds {
  readonly upMbit: number
  readonly downMbit: number
}

export interface LabOptions {
  readonly hosts: readonly HostSpeeds[]
  readonly queue?: 'fifo' | 'fair'
  /** TCP congestion control of the hosts; null leaves the machine's. */
  readonly congestion?: string | null
}

export declare const wireFactor: number
export declare const maxHosts: number
export declare function labObstacle(): string | null
export declare function cleanUp(): string[]
export declare function gone(names: readonly string[], timeoutMs?: number): Promise<boolean>

export declare class Lab {
  static create(options: LabOptions): Lab
  get size(): number
  get namespaces(): string[]
  address(host: number): string
  setSpeed(host: number, speeds: Partial<HostSpeeds>): void
  cut(host: number): void
  mend(host: number): void
  prefix(host: number): string[]
  spawn(
    host: number,
    command: string,
    args: readonly string[],
    options?: SpawnOptions,
  ): ChildProcess
  counters(): { readonly sent: number; readonly received: number }[]
  close(): void
  [Symbol.dispose](): void
}
