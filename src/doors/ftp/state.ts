/** What a session of FTP is about, for all of its commands. */
import type { Socket } from 'node:net'
import type { SecureContext } from 'node:tls'
import type { Credentials, FrNode, LogLine } from '../../api/types.js'
import type { ReaderDemands } from '../files/answer.js'
import type { Who } from '../mount.js'
import type { Tokens } from '../tokens.js'
import type { PortRange } from './addresses.js'
import type { Admission } from './admission.js'
import type { Control } from './control.js'
import type { DataWay } from './data-way.js'
import type { FactName, ListingWish } from './listing.js'
import type { Turns } from './turns.js'
import type { Uploads } from './uploads.js'

/** Of the door: the same for all sessions. */
export interface DoorWorld {
  readonly node: FrNode
  /** What the node is asked with for lists. */
  readonly credentials: Credentials
  readonly tokens: Tokens
  readonly admission: Admission
  readonly demands: ReaderDemands
  readonly ports: PortRange | null
  /** Of data connections. */
  readonly sockets: Set<Socket>
  readonly listings: Turns
  /** Null: files are only read here. */
  readonly uploads: Uploads | null
  /** The door is closed. */
  readonly signal: AbortSignal
  readonly log: (line: LogLine) => void
  /** Told of defects. */
  readonly failed: (error: unknown) => void
  /** As the files say now; null: nothing is encrypted. */
  secureContext(): SecureContext | null
}

export interface State {
  readonly world: DoorWorld
  readonly control: Control
  readonly way: DataWay
  /** IP address of the client. */
  readonly client: string
  /** Said by USER; null: nothing, or it has logged in or failed. */
  user: string | null
  /** As whom it has logged in; null: it has not. */
  login: Login | null
  failures: number
  /** A name; empty: the root. */
  directory: string
  isBinary: boolean
  /** Said by REST, for the next transfer. */
  restAt: number
  facts: readonly FactName[]
  /** With which the control connection is encrypted, and data connections are. */
  context: SecureContext | null
  isPbszSaid: boolean
  isProtected: boolean
  /** EPSV ALL: nothing else is taken. */
  isEpsvAlone: boolean
  /** After this command the session is over. */
  isEnding: boolean
}

export interface Login {
  /** SHA-256 of its token; null: whoever has none. */
  readonly sha256: string | null
}

/** Who asks, as the list of tokens says now; undefined: its token counts no more. */
export function whoIs({ world, login }: State): Who | undefined {
  if (login === null) return undefined
  return login.sha256 === null ? world.tokens.nobody : world.tokens.find(login.sha256)
}

/** Of a session whose client has logged in. */
export function asker(state: State): Who {
  return whoIs(state) ?? nobody
}

const nobody: Who = { name: null, attributes: null, rights: () => false }

export function listingWish(state: State): ListingWish {
  const { node, credentials, signal } = state.world
  return { node, credentials, who: asker(state), signal }
}

export interface Handler {
  /** Also before somebody has logged in. */
  readonly isForAll?: boolean
  /** Default: `none`, it is passed over. */
  readonly argument?: 'needed' | 'may'
  run(state: State, argument: string): Promise<void>
}
