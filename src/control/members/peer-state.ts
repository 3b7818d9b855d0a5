/**
 * The states of one node of a push, or of one attempt of it, as the origin knows them. Each state
 * carries what is known in it and nowhere else.
 *
 *     connecting -> offered   the link is open, and the offer is said
 *     offered -> ready        it has accepted, and no data connection to it is being opened
 *     ready -> running        it takes part in the exchange
 *     running -> complete     it has published the whole file
 *     connecting, offered, ready, running -> out   it failed, or has refused
 */
import type { Failure } from '../../base/errors.js'
import type { NodeSettled } from '../messages/types.js'

/**
 * How a node is being connected to:
 *
 *     dialling -> lookingUp -> dialling   its name is looked up; its time to connect begins anew
 *     dialling -> waiting -> dialling     the dial failed, and is followed by another
 */
export type Dial =
  | { readonly is: 'dialling' | 'lookingUp' }
  | { readonly is: 'waiting'; readonly dueMs: number }

/**
 * The data connection to a node:
 *
 *     none -> opening             something is to be sent on it
 *     opening, cut -> open        the engine has it
 *     opening, open, cut -> cut   it could not be opened, or broke
 *     opening, cut -> none        the node follows another coordinator, and takes none so far
 *
 * `cut`: the node says why on its link, or it is opened again; until `untilMs` that is waited for.
 */
export type FeedOut =
  | { readonly is: 'none' | 'opening' | 'open' }
  | { readonly is: 'cut'; readonly failure: Failure; readonly untilMs: number }

/**
 * What its silence means (members/detector.ts): alive -> suspected -> away -> alive, and each back
 * to alive. A node that is away is still a member: others make good what it was to send.
 */
export type Presence = 'alive' | 'suspected' | 'away'

/** What is open to a node from the offer on. */
export interface Contact {
  /** open -> gone: the link broke, or this side hung up. */
  link: 'open' | 'gone'
  feed: FeedOut
  presence: Presence
}

/**
 * What a node has said to the offer: none -> elsewhere -> claimed -> comparing -> accepted; each in
 * the middle may be left out. `elsewhere`: it follows whoever took over from this coordinator, and
 * says more once that is over. `claimed`: the name is this push's at the node. `comparing`: it
 * waits for digests, to see whether blocks that it has are of this content.
 */
export type Answer = 'none' | 'elsewhere' | 'claimed' | 'comparing' | 'accepted'

/**
 * Whether the senders of a node find it behind: none -> lagging -> none, and for one that joined
 * late catchingUp -> none, while what the others had before it came is still under way.
 */
export type Lag = 'none' | 'lagging' | 'catchingUp' | 'waiting'

/**
 * Whether a node passes bytes on to its mates:
 *
 *     none -> relays
 *     relays -> rests -> relays   it fails again and again: it is dealt nothing for a while
 *     relays, rests -> false      it said that it passes on what it is dealt, and did not
 */
export type Relay = 'none' | 'relays' | 'rests' | 'false'

/** The part of a node in the exchange. */
export interface Part {
  lag: Lag
  relay: Relay
}

/**
 * How an attempt has ended:
 *
 *     returns -> superseded   its next attempt has begun, or the node was added again
 *     returns -> settled      no attempt follows after all
 *     settled -> superseded   the node was added again
 *
 * `superseded`: a later attempt speaks for the node.
 */
export type End =
  | { readonly is: 'returns'; readonly failure: Failure; readonly dueMs: number }
  | { readonly is: 'settled'; readonly outcome: NodeSettled }
  | { readonly is: 'superseded' }

export interface Connecting {
  readonly phase: 'connecting'
  /** Since when it has had its time to connect. */
  sinceMs: number
  dial: Dial
  /** Dials of this attempt that failed, and why the last one did; null: none has. */
  failed: { readonly dials: number; readonly failure: Failure } | null
}

export interface Offered {
  readonly phase: 'offered'
  /** Since when it has had its time to answer. */
  sinceMs: number
  readonly contact: Contact
  answer: Answer
  /** Since when it has the name. */
  claimedMs?: number
}

export interface Ready {
  readonly phase: 'ready'
  readonly contact: Contact
}

export interface Running {
  readonly phase: 'running'
  readonly contact: Contact
  readonly part: Part
  /** When something last landed or was verified there. */
  movedMs: number
}

export interface Complete {
  readonly phase: 'complete'
  /** Once its link is gone it serves no mates any more. */
  readonly contact: Contact
  readonly part: Part
  readonly outcome: NodeSettled
}

export interface Out {
  readonly phase: 'out'
  readonly end: End
}

export type PeerState = Connecting | Offered | Ready | Running | Complete | Out
export type PeerPhase = PeerState['phase']
