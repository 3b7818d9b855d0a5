/** What the command line asks for, once it is parsed: everything checked, in base units. */
import type { LogLine, PushTarget, Shape, Strategy } from '../api/types.js'

export interface LogWish {
  readonly format: 'text' | 'json'
  readonly level: LogLine['level']
}

export interface NodeCommand {
  readonly command: 'node'
  readonly listen: string
  readonly dataDir: string
  readonly keyFile?: string
  readonly previousKeyFile?: string
  readonly name?: string
  readonly mirror: boolean
  readonly engine?: 'native' | 'portable'
  readonly keepPartialsSeconds?: number
  readonly minFreeBytes?: number
  readonly log: LogWish
  readonly json: boolean
}

export interface PushCommand {
  readonly command: 'push'
  readonly path: string
  /** Either the targets or the file that names them. */
  readonly to?: readonly PushTarget[]
  readonly nodesFile?: string
  readonly as?: string
  readonly keyFile?: string
  readonly strategy?: Strategy
  readonly shape?: Shape | 'auto'
  readonly groupSize?: number
  readonly digest?: 'xxh64' | 'sha256'
  readonly engine?: 'native' | 'portable'
  readonly noClobber: boolean
  readonly uplinkBytesPerSecond?: number
  readonly connectMs?: number
  /** File for the timeline. */
  readonly trace?: string
  readonly dryRun: boolean
  readonly log: LogWish
  readonly json: boolean
}

export interface StatusCommand {
  readonly command: 'status'
  readonly address: string
  readonly keyFile?: string
  readonly json: boolean
}

export interface AddCommand {
  readonly command: 'add'
  /** 32 hex digits. */
  readonly transfer: string
  readonly address: string
  readonly via: string
  readonly keyFile?: string
  readonly json: boolean
}

export interface DigestCommand {
  readonly command: 'digest'
  readonly path: string
  readonly digest?: 'xxh64' | 'sha256'
}

export interface KeygenCommand {
  readonly command: 'keygen'
  readonly out?: string
}

export type Command =
  | NodeCommand
  | PushCommand
  | StatusCommand
  | AddCommand
  | DigestCommand
  | KeygenCommand
