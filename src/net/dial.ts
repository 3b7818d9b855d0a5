/** Dialling out: control links, and data connections that end in the engine. */
import type { FrErrorCode } from '../base/errors.js'
import { awakeMs } from '../base/time/awake.js'
import type { Frame } from '../control/messages/types.js'
import type { DataEngine, FeedHandle, FeedSpec, TransferHandle } from '../ports.js'
import type { Edge } from '../protocol/ticket.js'
import { dial, type Established, type Identity } from './handshake.js'
import type { Key } from './keys.js'
import { ControlLink } from './link.js'
import type { Resolver } from './resolver.js'

/** Round trips from the first packet to the word `go`. */
export const handshakeTrips = 3

export interface Dialler {
  readonly keys: readonly Key[]
  readonly self: Identity
  readonly connectMs: number
  readonly resolver: Resolver
}

export interface LinkEvents {
  readonly onFrame: (frame: Frame) => void
  /** Not called when this side closed the link. */
  readonly onClose: (code: FrErrorCode, text: string) => void
  /** See LinkHooks. */
  readonly lastWord?: (code: FrErrorCode, text: string) => Frame
}

export interface DialledLink {
  readonly link: ControlLink
  readonly peer: Identity
  /** How long a message and its answer took while the connection was made. */
  readonly rttMs: number
}

export async function dialControl(
  dialler: Dialler,
  address: string,
  signal: AbortSignal,
  events: LinkEvents,
  engine: DataEngine,
): Promise<DialledLink> {
  const startMs = awakeMs()
  const established = await dial({ ...dialler, address, channel: 'control', signal })
  const rttMs = (awakeMs() - startMs) / handshakeTrips
  return { link: linkOver(established, events, engine), peer: established.peer as Identity, rttMs }
}

export function linkOver(
  established: Established,
  events: LinkEvents,
  engine?: DataEngine,
): ControlLink {
  if (engine !== undefined) established.tune((socket) => engine.tuneControl(socket))
  return new ControlLink(established, {
    onFrame: events.onFrame,
    ...(events.lastWord && { lastWord: events.lastWord }),
    onClose: (code, text) => {
      if (code !== null) events.onClose(code, text)
    },
  })
}

export interface TransferTarget {
  readonly address: string
  readonly transfer: string
  /** The number of this side. */
  readonly from: number
  /** Number of the node that is dialled. */
  readonly to: number
}

export function dialData(
  dialler: Dialler,
  target: TransferTarget & { readonly edge: Edge },
  signal: AbortSignal,
): Promise<Established> {
  return dial({ ...dialler, ...target, channel: 'data', signal })
}

export function dialPull(
  dialler: Dialler,
  { nodeId: expectedNodeId, ...target }: TransferTarget & { readonly nodeId: string },
  signal: AbortSignal,
): Promise<Established> {
  return dial({ ...dialler, ...target, channel: 'pull', expectedNodeId, signal })
}

/** Throws FrError when the connection broke meanwhile. */
export function adoptOut(
  engine: DataEngine,
  transfer: TransferHandle,
  established: Established,
  relay: boolean,
): FeedHandle {
  const { recordSeed: seed } = established.feed
  return adopt(engine, established, { transfer, direction: 'out', seed, relay })
}

/**
 * Hands the connection to the engine, and closes it where that does not take it. Throws FrError
 * when it broke meanwhile, or there are no descriptors left.
 */
export function adopt(engine: DataEngine, established: Established, spec: FeedSpec): FeedHandle {
  const socket = established.detach()
  try {
    return engine.adopt(socket, spec)
  } catch (error) {
    socket.destroy()
    throw error
  }
}
