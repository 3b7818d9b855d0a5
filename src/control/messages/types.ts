/**
 * What travels on links (Frame), and the values that frames are made of. Pure data: no Node types,
 * no clock, no bytes of payload.
 */
import type { Detection } from '../../base/detection.js'
import type { DigestAlgorithm } from '../../base/digests.js'
import type { FrErrorCode } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { RangePair } from '../../base/ranges.js'
import type { TransferShare } from '../../base/rate-limits.js'
import type { Applied, TreePart } from './applied.js'
import type { MasterAnswer, MasterAsked } from './asking-master.js'
import type { BridgedFrame, BridgeFrame, ReachFrame } from './bridging.js'
import type { Coded } from './coded.js'
import type { CommitCall } from './commit.js'
import type { Attributes, CopyWish, NameText, NodeLink, Strategy } from './copying.js'
import type { DeltaFrame } from './delta.js'
import type { DirectoryFrame } from './directory.js'
import type { GrowingFrame } from './growing.js'
import type { HeldFrame, PackAsk, PackOffer } from './held.js'
import type { LimitedFrame, LimitFrame } from './limiting.js'
import type { MasterToNode, NodeToMaster } from './mastering.js'
import type { PublishingFrame } from './publishing.js'
import type { BacklogFrame, ProgressFrame, ReportsFrame } from './reports.js'
import type { SwarmFrame } from './swarming.js'

export type * from './applied.js'
export type * from './coded.js'
export type * from './descriptors.js'
export type * from './held.js'
export type { NodeOutcome, NodeSettled } from './outcomes.js'
export type * from './reports.js'
export type { Attributes, NameText, Strategy }

export type Shape = 'unicast' | 'group' | 'chain' | 'tree' | 'binomial'
/**
 * Why bytes that a member was to bring have to come another way:
 * - broken: nothing more comes on its connection.
 * - away: the member is silent and may come back; its connections stay.
 * - held: the member holds them, and nobody sends them unasked.
 */
export type DetourReason = 'broken' | 'away' | 'held'

/** The number of the member that began the push; nodes are numbered from 0 on. */
export const originNumber = 0xffff_ffff

/** One node, or attempt of one, as whoever takes over has to know it. */
export interface RosterEntry {
  readonly number: number
  /** Empty: it was never connected to. */
  readonly nodeId: string
  /** HOST:PORT as the caller wrote it, and where mates dial the node elsewhere than that. */
  readonly address: string
  readonly advertise?: string
  /** HOST:PORT of the gateway behind which it is. */
  readonly via?: string
  readonly site?: string
  /** Its data connections are sealed. */
  readonly sealed?: true
  /**
   * - coming: not in the exchange yet.
   * - running, complete: takes part.
   * - sending: a mirror.
   * - out: it does not any more.
   */
  readonly state: 'coming' | 'running' | 'complete' | 'sending' | 'out'
}

/** For standbys: each entry replaces the last of its number; the first frames name all nodes. */
export interface RosterFrame {
  readonly type: 'roster'
  readonly term: Term
  readonly epoch: number
  /** By number. In all frames together there is no gap: the next node has the next number. */
  readonly entries: readonly RosterEntry[]
}

export interface StreamEntry extends NameText, Attributes {
  readonly stream: number
  /** 32 hex digits: the identity of the bytes, the same in every transfer of them. */
  readonly contentId: string
  /** Public key of whoever signs the digests of the content, 64 hex digits. */
  readonly author: string
  /** Where it begins in the address space of the transfer, and how much of that is its own. */
  readonly base: number
  readonly span: number
  readonly size: number
  /** Bytes that are no hole at the origin, as far as it knows; at most `size`. */
  readonly dataBytes: number
  /** It is still written: `size` is what there was when it was offered, its blocks are sections. */
  readonly growing?: true
  /** Criteria in canonical form: who else may have it; absent: whoever asks. */
  readonly only?: string
  /** What the bytes stand for; absent: they are the file. Its author is that of the entry. */
  readonly coded?: Coded
}

/** Who coordinates, as a totally ordered value: by `counter`, then by `member`. */
export interface Term {
  readonly counter: number
  /** The member that holds the term. */
  readonly member: number
}

/** The term of whoever began the push. */
export const originTerm: Term = { counter: 1, member: originNumber }

/** A mirror holds all and only sends it; a gateway passes on what comes, and keeps nothing. */
export type Role = 'receiver' | 'mirror' | 'gateway'

/** Who takes part in a transfer. */
export interface Member {
  /** Stands for this member in one transfer, and never for another. */
  readonly number: number
  readonly nodeId: string
  /** HOST:PORT where others dial it; absent: nobody does. */
  readonly address?: string
  /** HOST:PORT of the gateway through which others dial it; absent: they dial it directly. */
  readonly via?: string
  /** HOST:PORT of the gateway through which they dial that one; absent: directly. */
  readonly through?: string
  /** Where it stands, as the coordinator was told: members of the same site are nearest. */
  readonly site?: string
}

/** A member that can be dialled. */
export type Mate = Member & { readonly address: string }

/** Bytes that arrive with this route go on to these members, under their next route. */
export interface Route {
  readonly route: number
  readonly to: readonly { readonly member: number; readonly next: number }[]
}

/** What proves both ends of a data connection; id and secret in hex. */
export interface EdgeWord {
  /** The member at the other end. */
  readonly member: number
  readonly id: string
  readonly secret: string
  /** What comes on the connection is sealed. */
  readonly sealed?: true
}

/**
 * What a node has to know of its part in a transfer, and of its neighbourhood alone. An absolute
 * value: a newer plan replaces the last one, and what has changed follows from comparing the two.
 */
/** What a member may send to the members of another site, all together. */
export interface SiteShare {
  readonly site: string
  readonly bytesPerSecond: number
}

export interface PlanFrame {
  readonly type: 'plan'
  readonly term: Term
  /** Grows with every plan of the term. */
  readonly epoch: number
  /** The number of the node that the plan is sent to; never changes. */
  readonly you: number
  /**
   * - forming: the members are those that are known so far, and nobody feeds a mate yet.
   * - running: bytes flow. A member that such a plan names no more is gone for good.
   */
  readonly phase: 'forming' | 'running'
  readonly strategy: Strategy
  readonly shape: Shape
  readonly members: readonly Member[]
  /** Members that feed this node by themselves, not by forwarding. */
  readonly parents: readonly number[]
  readonly routes: readonly Route[]
  /** Members of whom this node asks nothing for now, since their way to it fails. */
  readonly avoid: readonly number[]
  /** Of links between sites that are limited; each site once. */
  readonly siteShares: readonly SiteShare[]
  readonly coordinator: number
  /** Members that may take over from the coordinator, the first one first. */
  readonly standbys: readonly number[]
  /** The member that `progress` and `backlog` go to. */
  readonly reportTo: number
  /** Of members that this node had no edge to so far; the first word about a member counts. */
  readonly edges: readonly EdgeWord[]
  readonly progressMs: number
  /** How often to send `backlog` while it changes; 0: never. */
  readonly reportMs: number
}

/** A file that a node offers to a client, and the ticket for its data connection. */
export interface FetchOffer {
  readonly transfer: string
  readonly you: number
  readonly edge: Omit<EdgeWord, 'member'>
  readonly entry: StreamEntry
  readonly digest: DigestAlgorithm
  /** Empty: it is still written. */
  readonly fileDigest: string
  /** Where a part of a tree was asked for: the file is a bundle. */
  readonly pack?: PackOffer
}

export type Frame =
  // --- origin -> node
  | {
      readonly type: 'offer'
      readonly transfer: string
      readonly digest: DigestAlgorithm
      readonly noClobber: boolean
      /** Refuse when the file system does not keep the attributes of the file. */
      readonly strict: boolean
      readonly streams: number
      readonly bytes: number
      readonly manifestPages: number
      /** Public key of whoever signs the manifest, 64 hex digits. */
      readonly author: string
      /** After this silence of a node the origin gives it up; the node waits a little longer. */
      readonly silenceMs: number
      /** When silence counts for something before that; absent: as usual. */
      readonly detection?: Detection
      /** The push has its plan, and so its claims at all other nodes: this one joins. */
      readonly planned: boolean
      /** Of the content, where it is known before anything is sent; null: it is not. */
      readonly fileDigest: string | null
      readonly role: Role
      /** What the push may use of the node; absent: all, with the weight that is usual. */
      readonly share?: TransferShare
      /** Absent: the content is a file, and part of no tree. */
      readonly tree?: TreePart
      /** Earlier versions of the name that are to be kept; absent: as the node does. */
      readonly keep?: number
      /** It becomes a version beside what has the name, until somebody decides (CommitCall). */
      readonly beside?: boolean
    }
  | {
      readonly type: 'manifest'
      readonly page: number
      readonly entries: readonly StreamEntry[]
      /** Of the author of the offer (protocol/manifest.ts), 128 hex digits. */
      readonly signature: string
    }
  | PlanFrame
  | RosterFrame
  /** What became of a `join` of the same number; code null: the node has joined. */
  | {
      readonly type: 'joined'
      readonly request: number
      readonly code: FrErrorCode | null
      readonly text: string
    }
  /** These members are slow or silent: their backlog does not count. Replaces the last one. */
  | { readonly type: 'lagging'; readonly members: readonly number[] }
  /** These, which the node holds, it is to pass on with this route. */
  | { readonly type: 'passOn'; readonly ranges: readonly RangePair[]; readonly route: number }
  /** Send the member these blocks again, which were bad there, once they are verified here. */
  | { readonly type: 'mend'; readonly member: number; readonly ranges: readonly RangePair[] }
  /** `member` brings nothing more of these ranges for now: have what is missing elsewhere. */
  | {
      readonly type: 'detour'
      readonly member: number
      readonly why: DetourReason
      readonly ranges: readonly RangePair[]
      /** What of them is missing here is passed on with this route; 0: it stays. */
      readonly route: number
    }
  /** Null: nobody who is left has heard of one; what the signed digests come to counts. */
  | { readonly type: 'seal'; readonly stream: number; readonly fileDigest: string | null }
  | { readonly type: 'beat' }
  // --- either side of a control link; the link itself says and hears it ---
  /** So many frames of the other side have come. */
  | { readonly type: 'heard'; readonly frames: number }
  /** Every living node is complete: close feeds, forget the transfer. */
  | { readonly type: 'finish' }
  | { readonly type: 'abort'; readonly code: FrErrorCode; readonly text: string }
  // --- node -> origin
  /** The name is kept for this transfer; `accept` or `refuse` follows when the disk was asked. */
  | { readonly type: 'claimed' }
  /** Blocks are here that may be of this content: `accept` follows when their digests are known. */
  | { readonly type: 'compares' }
  /** `have`: whole blocks that are here already, verified, and need not be sent. */
  | { readonly type: 'accept'; readonly have: readonly RangePair[] }
  | { readonly type: 'refuse'; readonly code: FrErrorCode; readonly text: string }
  | ProgressFrame
  | BacklogFrame
  | ReportsFrame
  /** Send these ranges directly; `scratch`: because blocks in them were bad. */
  | { readonly type: 'need'; readonly scratch: boolean; readonly ranges: readonly RangePair[] }
  /** Digests of these ranges, which have landed and are not announced. */
  | {
      readonly type: 'needDigests'
      readonly ranges: readonly RangePair[]
    }
  /** Blocks in this run failed their digest. */
  | {
      readonly type: 'bad'
      readonly offset: number
      readonly length: number
    }
  /** Somebody asks this node to have a node added. */
  | { readonly type: 'join'; readonly request: number; readonly node: NodeLink }
  /** The plan that came is older than the one of this term and epoch, and was not followed. */
  | { readonly type: 'stale'; readonly term: Term; readonly epoch: number }
  /** The feed to or from this member is dead although nobody said the member is. */
  | {
      readonly type: 'edgeLost'
      readonly member: number
      readonly incoming: boolean
      /** What this end found. */
      readonly code: FrErrorCode
    }
  /** The feed that this node said is lost is open again. */
  | { readonly type: 'edgeBack'; readonly member: number; readonly incoming: boolean }
  /** This member brings nothing, and has not answered for a while. */
  | { readonly type: 'missed'; readonly member: number }
  | {
      readonly type: 'complete'
      readonly bytes: number
      readonly repairedBytes: number
      readonly fileDigest: string
      /** What the node could not keep, one sentence each. */
      readonly warnings: readonly string[]
      /** Of a bundle alone. */
      readonly applied?: Applied
    }
  | { readonly type: 'failed'; readonly code: FrErrorCode; readonly text: string }
  // --- a member that takes over <-> members
  /** It coordinates from now on: its first word on a link. `holds` or `refuse` is the answer. */
  | { readonly type: 'succeed'; readonly transfer: string; readonly term: Term }
  /** All that is held here by now, verified, and the seal as far as it was heard. */
  | {
      readonly type: 'holds'
      readonly have: readonly RangePair[]
      readonly fileDigest: string | null
    }
  // --- a node that lacks bytes -> a mate; `needDigests` asks it for signed digests
  /** Send what you hold of these ranges. The answer has the same number. */
  | {
      readonly type: 'pull'
      readonly request: number
      readonly ranges: readonly RangePair[]
    }
  // --- a mate -> the node that asked
  /** This part is held, verified, and comes on the data connection. */
  | {
      readonly type: 'holding'
      readonly request: number
      readonly ranges: readonly RangePair[]
      /** Listed for the asker before this. */
      readonly backlogBytes: number
    }
  /** Nothing (more) comes for this request. */
  | {
      readonly type: 'pullRefused'
      readonly request: number
      readonly code: FrErrorCode
      readonly text: string
    }
  // --- a client that fetches a file <-> node; then `pull`, `need` (scratch), `needDigests`
  /** `pack`: a part of the tree of this name; `follow`: also of a content that still grows. */
  | ({
      readonly type: 'fetch'
      readonly pack?: PackAsk
      readonly follow?: true
      /** It may ask for more later, and gives its place to others while it asks for nothing. */
      readonly standing?: true
      /** File digest of the one content of this name that is wanted; absent: what has the name. */
      readonly content?: string
      /** What is sent is to be sealed. */
      readonly sealed?: true
    } & NameText)
  | ({ readonly type: 'fetched' } & FetchOffer)
  /** As many connections would fill the way to the client: it may open more beside its first. */
  | { readonly type: 'flows'; readonly count: number }
  // --- member of a transfer <-> gateway
  | ReachFrame
  | BridgeFrame
  | BridgedFrame
  // --- client <-> node
  | { readonly type: 'statusRequest' }
  | { readonly type: 'status'; readonly json: string }
  | LimitFrame
  | LimitedFrame
  /** Have this node added to a push that runs. */
  | { readonly type: 'add'; readonly transfer: string; readonly node: NodeLink }
  /** The node has joined. */
  | { readonly type: 'added' }
  /** Push a file that the node holds. The answer comes once it has begun. */
  | ({ readonly type: 'copy' } & CopyWish)
  | { readonly type: 'copying'; readonly transfer: string }
  /** Tell how a copy goes: all that there was to tell, then what comes. */
  | { readonly type: 'follow'; readonly transfer: string }
  /** One event of a push: plan, progress or the outcome of a node; many before `reported`. */
  | { readonly type: 'report'; readonly json: string }
  /** The result: the copy is over. */
  | { readonly type: 'reported'; readonly json: string }
  | HeldFrame
  | PublishingFrame
  | DeltaFrame
  | GrowingFrame
  | CommitCall
  | DirectoryFrame
  // --- node <-> master
  | NodeToMaster
  | MasterToNode
  | MasterAsked
  | MasterAnswer
  | SwarmFrame

export type FrameType = Frame['type']

/** What a connection is for; said in the hello. */
export type Channel =
  | 'control'
  | 'data'
  | 'pull'
  | 'status'
  | 'fetch'
  | 'bridge'
  | 'master'
  | 'directory'

/** What the acceptor of a data connection says when it opens. */
export interface Lacking {
  /** What it lacks; it may have some of them. */
  readonly ranges: readonly RangePair[]
  /** Payload that all connections of the same dialler have brought before. */
  readonly receivedBytes: number
}

/** Of whom nothing has to be sent again. */
export const lacksNothing: Lacking = { ranges: [], receivedBytes: 0 }

/** Of whom nothing is known. */
export const lacksAll: Lacking = { ranges: [[0, limits.spaceBytes]], receivedBytes: 0 }
