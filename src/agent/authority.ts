/**
 * Who may ask what of this node: every request comes through here, is compared with the rights of
 * whoever asks, and leaves a line: in the log, and among the last ones for the status.
 *
 * Without a list of authorized peers whoever holds the key may do everything.
 */
import { type Attributes, attributeOf } from '../base/attributes.js'
import { FrError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { Logger } from '../base/log.js'
import { Rights, type Wanted } from '../base/rights.js'
import { nowMs } from '../base/time/awake.js'
import type { Identity } from '../net/handshake.js'
import { type RequestName, wordOf } from './requests.js'

/** What a list says of one peer. */
export interface PeerEntry {
  readonly name: string
  /** Null: nothing is said of rights. */
  readonly rightsText: string | null
}

export interface PeerTable {
  /**
   * Undefined: the node or client of this id, or with a certificate of this name, is not in the
   * list.
   */
  find(nodeId: string, certified?: string): PeerEntry | undefined
}

export interface Asking {
  readonly peer: Pick<Identity, 'nodeId' | 'name' | 'attributes'> | null
  /** HOST:PORT of the other end. */
  readonly remoteAddress: string
}

export interface AuditLine {
  /** Node id of who asked, and its name where it has one. */
  readonly peer: string
  readonly name: string | null
  /** Where it asked from the last time. */
  readonly address: string
  /** The request, as users call it, and what it was about. */
  readonly what: string
  readonly decision: 'allowed' | 'refused'
  /** The right that was missing. */
  readonly missing: string | null
  /** How often this has happened since the line before was dropped. */
  readonly count: number
  readonly secondsAgo: number
}

type Line = Omit<AuditLine, 'secondsAgo'> & { readonly atMs: number }

const nobody: Attributes = {}

export class Authority {
  readonly #peers: PeerTable | undefined
  readonly #log: Logger
  readonly #parsed = new WeakMap<PeerEntry, Rights>()
  /** The same request of the same peer is one line, the newest last. */
  readonly #lines = new Map<string, Line>()

  constructor(peers: PeerTable | undefined, log: Logger) {
    this.#peers = peers
    this.#log = log
  }

  /** Throws ERR_FR_RIGHT that names the right that is missing. `isRead`: it changes nothing. */
  require(asking: Asking, request: RequestName, wanted: readonly Wanted[], isRead = false): void {
    const { rights, name } = this.#of(asking.peer)
    const missing = wanted.map((one) => rights.missing(one)).find((right) => right !== null)
    this.#note(asking, nameOf(asking.peer, name), whatOf(request, wanted), missing ?? null, isRead)
    if (missing === undefined) return
    throw new FrError('ERR_FR_RIGHT', `the right '${missing}' is missing (--authorize)`)
  }

  /**
   * What criteria find of a peer: what the list says of it, where it says anything, else what it
   * says of itself; its name by the list, else by itself; its id.
   */
  attributesOf(peer: Asking['peer']): Attributes {
    if (peer === null) return nobody
    const { rights, name } = this.#of(peer)
    const own = rights.attributes ?? peer.attributes ?? nobody
    const said = nameOf(peer, name)
    return { ...own, ...(said !== null && { name: said }), id: peer.nodeId }
  }

  /** The newest first. */
  get audit(): AuditLine[] {
    const now = nowMs()
    return [...this.#lines.values()].reverse().map(({ atMs, ...line }) => {
      return { ...line, secondsAgo: (now - atMs) / 1_000 }
    })
  }

  #of(peer: Asking['peer']): { readonly rights: Rights; readonly name?: string } {
    if (this.#peers === undefined) return { rights: Rights.everything }
    const entry = this.#peers.find(peer?.nodeId ?? '', peer?.name)
    if (entry === undefined) return { rights: Rights.parse('none') }
    let rights = this.#parsed.get(entry)
    if (rights === undefined) {
      rights = Rights.parse(entry.rightsText)
      this.#parsed.set(entry, rights)
    }
    return { rights, name: entry.name }
  }

  #note(
    { peer, remoteAddress: address }: Asking,
    name: string | null,
    what: string,
    missing: string | null,
    isRead: boolean,
  ): void {
    const nodeId = peer?.nodeId ?? ''
    const decision = missing === null ? 'allowed' : 'refused'
    const key = `${nodeId} ${decision} ${what}`
    const count = (this.#lines.get(key)?.count ?? 0) + 1
    this.#lines.delete(key)
    const line = { peer: nodeId, name, address, what, decision, missing, count } as const
    this.#lines.set(key, { ...line, atMs: nowMs() })
    for (const oldest of this.#lines.keys()) {
      if (this.#lines.size <= limits.auditLines) break
      this.#lines.delete(oldest)
    }
    const level = missing !== null ? 'warn' : isRead ? 'debug' : 'info'
    const right = missing === null ? {} : { missing }
    const fields = { peer: nodeId, name, address, what, decision, ...right }
    this.#log({ level, event: 'audit', fields })
  }
}

/** What a peer is called: by the list, else by its certificate, else by itself. */
function nameOf(peer: Asking['peer'], listed: string | undefined): string | null {
  return listed ?? peer?.name ?? attributeOf(peer?.attributes ?? nobody, 'name') ?? null
}

/** A request and its name, cut to what a line may have. */
function whatOf(request: RequestName, wanted: readonly Wanted[]): string {
  const word = wordOf(request)
  const name = wanted.find((one) => one.name)?.name
  const text = name ? `${word} ${Buffer.from(name).toString()}` : word
  return text.slice(0, limits.auditChars)
}
