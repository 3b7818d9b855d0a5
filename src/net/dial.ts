/** Turns a connection of two authenticated ends into a link or a feed of the engine. */
import type { Attributes } from '../base/attributes.js'
import type { FrErrorCode } from '../base/errors.js'
import type { Frame } from '../control/messages/types.js'
import type { DataEngine, FeedHandle, FeedSpec } from '../ports.js'
import type { Established, Identity, Self } from './handshake.js'
import type { Key } from './keys.js'
import { ControlLink } from './link.js'
import type { Resolver } from './resolver.js'

export interface Dialler {
  readonly keys: readonly Key[]
  readonly self: Self
  readonly connectMs: number
  readonly resolver: Resolver
  /** What is true of a peer, for criteria; absent: what it says of itself. */
  readonly attributesOf?: (peer: Pick<Identity, 'nodeId' | 'attributes'> | null) => Attributes
}

export interface LinkEvents {
  readonly onFrame: (frame: Frame) => void
  /** Not called when this side closed the link. */
  readonly onClose: (code: FrErrorCode, text: string) => void
  /** See LinkHooks; so is `lastWord`. */
  readonly onBroken?: (code: FrErrorCode, text: string) => void
  readonly lastWord?: (code: FrErrorCode, text: string) => Frame
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
    ...(events.onBroken && { onBroken: events.onBroken }),
    onClose: (code, text) => {
      if (code !== null) events.onClose(code, text)
    },
  })
}

/** The link goes on over this connection. Throws as `ControlLink.goOn` does. */
export function goOnOver(link: ControlLink, established: Established, engine: DataEngine): void {
  established.tune((socket) => engine.tuneControl(socket))
  link.goOn(established)
}

/**
 * Hands the data connection to the engine, as one more flow of the feed `beside` where that is
 * given, or closes it when the engine refuses. Throws FrError when the connection is broken or no
 * descriptors are left.
 */
export function adopt(
  engine: DataEngine,
  established: Established,
  spec: Omit<FeedSpec, 'seed' | 'seal' | 'beside'>,
  beside?: FeedHandle,
): FeedHandle {
  const { recordSeed: seed, seal } = established.feed
  const keys = { seed, ...(seal && { seal }) }
  const socket = established.detach()
  try {
    return engine.adopt(socket, { ...spec, ...keys, ...(beside !== undefined && { beside }) })
  } catch (error) {
    socket.destroy()
    throw error
  }
}
