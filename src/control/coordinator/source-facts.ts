/**
 * What is heard of the source of a push: how much there is, what was hashed of it, whether it is
 * still what was read. Once all is hashed and nothing casts doubt on it, every node hears the seal.
 */
import type { Failure } from '../../base/errors.js'
import type { Peer } from '../members/peer.js'
import type { Peers } from '../members/peers.js'
import type { OriginConfig, OriginFact } from './events.js'
import type { OriginExchange } from './exchange.js'
import type { OriginGrowth } from './growth.js'
import type { OriginOutbox } from './outbox.js'
import { addMirrors } from './places.js'
import type { OriginSource } from './source.js'

export type SourceFact = OriginFact & {
  readonly type:
    | 'hashed'
    | 'summed'
    | 'grew'
    | 'cutMade'
    | 'sourceChecked'
    | 'sourceFailed'
    | 'fileFailed'
}

export class SourceFacts {
  readonly #config: OriginConfig
  readonly #source: OriginSource
  readonly #peers: Peers
  readonly #outbox: OriginOutbox
  readonly #exchange: OriginExchange
  readonly #growth: OriginGrowth | undefined

  constructor(
    config: OriginConfig,
    source: OriginSource,
    peers: Peers,
    outbox: OriginOutbox,
    exchange: OriginExchange,
    growth: OriginGrowth | undefined,
  ) {
    this.#config = config
    this.#source = source
    this.#peers = peers
    this.#outbox = outbox
    this.#exchange = exchange
    this.#growth = growth
  }

  /** Why the push as a whole fails by this; null: it does not. */
  heard(fact: SourceFact, nowMs: number): Failure | null {
    switch (fact.type) {
      case 'hashed':
        if (fact.part === 'again') return this.#hashedAgain(fact.offset, fact.digests, nowMs)
        this.#source.hashed(fact.offset, fact.digests)
        this.#exchange.hashed(fact.offset, fact.length, nowMs)
        return null
      case 'summed':
        this.#source.fileDigest = fact.fileDigest
        for (const peer of this.#exchange.group) this.sealTo(peer)
        // The content can be named now: who holds it may help.
        if (this.#config.known === undefined)
          this.#outbox.wish(...addMirrors(this.#config, this.#peers, nowMs))
        return null
      case 'grew':
        this.#growth?.grew(fact.bytes, fact.isFinal, nowMs)
        return null
      case 'cutMade':
        this.#growth?.cutMade(fact, nowMs)
        return null
      case 'sourceChecked': {
        const next = this.#source.checked(fact.isDoubtful)
        if ('code' in next) return next
        this.#outbox.wish(...next)
        return null
      }
      case 'sourceFailed':
        return { code: fact.code, text: fact.text }
      case 'fileFailed':
        this.#outbox.wish(...this.#source.doubt({ code: fact.code, text: fact.text }))
        return null
      default:
        return fact satisfies never
    }
  }

  /** Nothing is said before the digest of the whole file is known. */
  sealTo(peer: Peer): void {
    const { fileDigest } = this.#source
    if (fileDigest === undefined || peer.phase !== 'running' || peer.lag === 'waiting') return
    this.#outbox.say(peer, { type: 'seal', stream: 0, fileDigest })
  }

  #hashedAgain(offset: number, digests: Uint8Array, nowMs: number): Failure | null {
    const failure = this.#source.hashedAgain(offset, digests)
    if (failure !== null) return failure
    // Whoever holds everything waits for this machine's own reading.
    for (const peer of this.#peers.serving)
      if (this.#config.extent.isAll(peer.counts.verifiedBytes)) peer.moved(nowMs)
    return null
  }
}
