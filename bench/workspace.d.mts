/** Types of workspace.mjs, for the tests that are written in TypeScript. */
import type { ChildProcess } from 'node:child_process'

export declare const KIB: number
export declare const MIB: number
export declare const GIB: number
export declare const root: string
export declare const main: string

export declare class Obstacle extends Error {}

export interface NodeProcess {
  readonly child: ChildProcess
  readonly address: string
  readonly data: string
  readonly wasKilled: boolean
  cpuSeconds(): number
  kill(): void
}

export interface Collected {
  readonly code: number | null
  readonly text: string
  readonly seconds: number
  readonly cpuSeconds: number
  readonly errorText: string
}

export declare class Workspace {
  constructor(bytes: number, where?: 'memory' | 'disk')
  readonly directory: string
  path(...parts: string[]): string
  makeDirectory(name: string): string
  remove(name: string): void
  randomFile(name: string, bytes: number): string
  collect(command: string, args: readonly string[], options?: object): Promise<Collected>
  startNode(options: {
    readonly listen: string
    readonly name: string
    readonly keyFile?: string
    readonly prefix?: readonly string[]
    readonly args?: readonly string[]
  }): Promise<NodeProcess>
  stop(children: readonly ChildProcess[]): Promise<void>
  close(): Promise<void>
}

export interface PushOutcome {
  readonly node: string
  readonly status: 'complete' | 'failed' | 'refused'
  readonly seconds: number
  readonly reason: string | null
}

export interface Pushed {
  readonly result: {
    readonly seconds: number
    readonly strategy: string
    readonly nodes: readonly PushOutcome[]
  }
  readonly exitStatus: number
  readonly wallSeconds: number
  readonly cpuSeconds: number
  readonly originCpuSeconds: number
  readonly errorText: string
}

export declare function push(
  workspace: Workspace,
  options: {
    readonly source: string
    readonly nodes: readonly NodeProcess[]
    readonly others?: readonly NodeProcess[]
    readonly keyFile?: string
    readonly prefix?: readonly string[]
    readonly args?: readonly string[]
    readonly onLine?: (line: { readonly event: string }) => void
  },
): Promise<Pushed>

export declare function sameContent(one: string, other: string): boolean
