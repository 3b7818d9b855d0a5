/** What a node says of an offer until it has accepted it. */

import type { Failure } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { RangeSet } from '../../base/ranges.js'
import { haveFault } from '../holdings/have.js'
import type { Peer } from '../members/peer.js'
import type { Frame } from '../messages/types.js'
import type { OriginConfig } from './events.js'
import type { OriginExchange } from './exchange.js'
import type { OriginIndex } from './indexing.js'

export type ArrivalFrame = Frame & { type: 'claimed' | 'compares' | 'index' | 'fills' | 'accept' }

export class Arrivals {
  readonly #config: OriginConfig
  readonly #exchange: OriginExchange
  readonly #index: OriginIndex

  constructor(config: OriginConfig, exchange: OriginExchange, index: OriginIndex) {
    this.#config = config
    this.#exchange = exchange
    this.#index = index
  }

  /** Why the node is lost by this; null: it is not. */
  said(peer: Peer, frame: ArrivalFrame, nowMs: number): Failure | null {
    const failure = this.#fault(peer, frame, nowMs)
    return typeof failure === 'string' ? { code: 'ERR_FR_PROTOCOL', text: failure } : failure
  }

  #fault(peer: Peer, frame: ArrivalFrame, nowMs: number): Failure | string | null {
    switch (frame.type) {
      case 'claimed':
        if (!peer.isDeciding || peer.isComparing) return 'a late claim'
        peer.claimed(nowMs)
        return null
      case 'compares':
        if (!peer.isDeciding) return 'nothing to compare'
        if (peer.isComparing) peer.waits('comparing', nowMs)
        else this.#exchange.compares(peer, nowMs)
        return null
      case 'index':
        return this.#index.asked(peer, frame, nowMs)
      case 'fills': {
        const isWithin = frame.ranges.every((range) => this.#config.extent.has(range))
        if (!peer.isComparing || !isWithin) return 'it fills what there is not'
        return peer.had.fills(frame.ranges) > limits.fillFrames ? 'it fills too much' : null
      }
      case 'accept':
        return this.#accepts(peer, frame)
      default:
        return frame satisfies never
    }
  }

  #accepts(peer: Peer, { have }: Frame & { type: 'accept' }): Failure | string | null {
    const fault = peer.isDeciding ? haveFault(have, this.#config.extent) : 'a second accept'
    if (fault !== null) return fault
    if (peer.role === 'mirror' && !this.#config.extent.isAll(RangeSet.of(have).bytes))
      return { code: 'ERR_FR_NOT_HELD', text: 'a mirror that lacks a part' }
    peer.accepts(have)
    this.#exchange.flow.held(peer)
    return null
  }
}
