/** What a client asks of a node that is to copy a file to others. Pure data. */
import type { Detection } from '../../base/detection.js'
import type { TransferShare } from '../../base/rate-limits.js'

export type Strategy = 'classic' | 'adaptive'

/** Bytes of a name: UTF-8 text, or base64url of the raw bytes when `nameIsBase64`. */
export interface NameText {
  readonly name: string
  readonly nameIsBase64: boolean
}

/** What a published file gets beside its content. */
export interface Attributes {
  readonly mode: number
  readonly mtimeSeconds: number
  readonly mtimeNanos: number
}

/** What a node is asked to copy to others: a file that it holds, and how. */
export interface CopyWish {
  /** The id of the transfer, which whoever asks has chosen. */
  readonly transfer: string
  /** The name of the file at the node; null: whatever has this content. */
  readonly name: NameText | null
  readonly content: { readonly fileDigest: string; readonly bytes: number } | null
  /** Its name at the others. */
  readonly as: NameText
  /** What the others give the file; null: what it came with. */
  readonly attributes: Attributes | null
  readonly nodes: readonly NodeLink[]
  readonly strategy: Strategy
  readonly shape: 'auto' | 'unicast' | 'group' | 'chain' | 'tree' | 'binomial'
  readonly noClobber: boolean
  readonly strict: boolean
  readonly allowAdd: boolean
  readonly connectMs: number
  readonly silenceMs: number
  /** Absent: as usual. */
  readonly detection?: Detection
  /** Part of the usual rate below which a relay is demoted, in millionths; absent: as usual. */
  readonly demoteBelowPpm?: number
  readonly retries: number
  readonly rejoinMs: number
  readonly timeoutMs: number | null
  readonly minRateBytesPerSecond: number | null
  readonly uplinkBytesPerSecond: number | null
  /** What it may use of each machine; absent: as much as there is. */
  readonly share?: TransferShare
  readonly groups?: CopyGroups
  /** Nodes that pass on what comes to them and keep nothing. */
  readonly relays?: readonly NodeLink[]
  /** Try again while another push writes the name, instead of failing. */
  readonly wait: boolean
  /** Criteria in canonical form: who may have it, where its record says nothing. */
  readonly only?: string
  /** Its data connections are sealed, also where no node wants it. */
  readonly sealed?: true
  /** It goes on when whoever asked hangs up. */
  readonly detach: boolean
}

/** How the nodes of a copy are grouped, as far as somebody says. */
export interface CopyGroups {
  /** Where the node that copies stands. */
  readonly site?: string
  readonly groupSize?: number
  readonly handover?: 'corresponding' | 'every'
  readonly siteLinks?: readonly {
    readonly from: string
    readonly to: string
    readonly bytesPerSecond: number
    readonly sealed?: true
  }[]
}

/** Speeds and place of a node as whoever names it knows them. */
export interface LinkSpeeds {
  readonly uplinkBytesPerSecond?: number
  readonly downlinkBytesPerSecond?: number
  /** The speed is not what the link carries, but what may be used of it. */
  readonly isUpLimited?: true
  readonly isDownLimited?: true
}

export interface NodeLink extends LinkSpeeds {
  /** As the caller wrote it; used to name the limiting link. */
  readonly address: string
  /** HOST:PORT that its mates dial; it wins over what the node says of itself. */
  readonly advertise?: string
  /** HOST:PORT of the gateway behind which the node is: it is dialled through that one. */
  readonly via?: string
  /** Where the node stands: those of one site are near each other. */
  readonly site?: string
}
