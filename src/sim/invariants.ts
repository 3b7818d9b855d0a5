/**
 * What must hold at any time, whatever goes wrong: a node says and holds nothing but what is so,
 * each range of it has one writer, and each term one coordinator. Throws with what does not hold,
 * which fails the seed.
 */
import { FrError } from '../base/errors.js'
import { type RangePair, RangeSet } from '../base/ranges.js'
import type { Holdings } from '../control/holdings/ledger.js'
import type { Frame, Term } from '../control/messages/types.js'
import type { SimFile } from './content.js'

/** Of one transfer: who coordinates it in which term. */
export class Terms {
  readonly #holders = new Map<string, number>()

  /** A process takes the term, or begins with it. */
  take(term: Term, place: number): void {
    const before = this.#holders.get(keyOf(term))
    if (before !== undefined)
      throw new Error(`${place} coordinates in ${wordsOf(term)}, as ${before} does or did`)
    this.#holders.set(keyOf(term), place)
  }

  /** Words of a coordinator are said by who has their term. */
  said(frame: Frame, place: number): void {
    if (frame.type !== 'plan' && frame.type !== 'roster' && frame.type !== 'succeed') return
    const holder = this.#holders.get(keyOf(frame.term))
    if (holder !== place)
      throw new Error(`${place} says ${frame.type} in ${wordsOf(frame.term)}, which ${holder} has`)
  }
}

function keyOf({ counter, member }: Term): string {
  return `${counter} ${member}`
}

function wordsOf({ counter, member }: Term): string {
  return `term ${counter} of member ${member}`
}

/** A node, as far as it is looked at. */
export interface Watched {
  readonly place: number
  /** The content is still written. */
  readonly isGrowing: boolean
  readonly file: SimFile
  readonly held: Holdings
  /** Of a content that is still written: all before this is verified. */
  readonly reachedBytes: number
  readonly publications: number
  readonly hasEnded: boolean
  /** Something holds up what was listed: an asker may take it for lost. */
  readonly isSlow: boolean
}

export class NodeInvariants {
  readonly #node: Watched
  /** Repairs that are being copied into the file. */
  readonly #copying = new RangeSet()
  #checkedBytes = 0

  constructor(node: Watched) {
    this.#node = node
  }

  /** After each turn: nothing is held that is not the author's. */
  turned(): void {
    const { place, held, file, isGrowing, reachedBytes } = this.#node
    if (held.verifiedBytes === this.#checkedBytes) return
    this.#checkedBytes = held.verifiedBytes
    let bytes = 0
    for (let block = 0; block * file.blockBytes < file.bytes; block++) {
      if (!held.isBlockVerified(block)) continue
      const at = block * file.blockBytes
      const length = Math.min(file.blockBytes, file.bytes - at)
      bytes += length
      if (!file.isWrong(block) && file.landed.contains(at, length)) continue
      const text = `node ${place} holds block ${block}, which is not right`
      throw new FrError('ERR_FR_BAD_BLOCK', text)
    }
    // The beginning of a block may count as well, where nobody knows yet how long it will be.
    const tail = held.verifiedBytes - bytes
    const isTail = isGrowing && tail > 0 && tail < file.blockBytes
    if (tail !== 0 && !(isTail && file.landed.contains(0, reachedBytes)))
      throw new Error(`node ${place} counts ${held.verifiedBytes} bytes as verified of ${bytes}`)
  }

  /** No honest node says these. */
  says(frame: Frame): void {
    const { place, file, held, publications, isSlow } = this.#node
    switch (frame.type) {
      case 'pull':
        if (frame.ranges.some((range) => file.landed.contains(...range)))
          throw new Error(`node ${place} asks for what has landed`)
        return
      case 'accept':
        // Of what it verified before it may not have read all again.
        return this.#claims(frame.have, (range) => file.landed.contains(...range))
      case 'holds':
        return this.#claims(frame.have, (range) => this.#holds(range))
      case 'holding':
        return this.#claims(frame.ranges, (range) => this.#holds(range))
      case 'progress':
        if (frame.verifiedBytes > held.verifiedBytes || frame.landedBytes > file.landed.bytes)
          throw new Error(`node ${place} reports more than it holds`)
        return
      case 'complete':
        if (publications === 0) throw new Error(`node ${place} is complete and has no file`)
        return
      case 'pullRefused':
        if (frame.code === 'ERR_FR_PROTOCOL')
          throw new Error(`an honest node asks for what it may not: ${frame.text}`)
        // What was listed has not been sent; the asker may think it is lost.
        if (frame.code === 'ERR_FR_LIMIT' && !isSlow)
          throw new Error('an honest node asks for too much')
        return
      default:
        return
    }
  }

  #claims(ranges: readonly RangePair[], isSo: (range: RangePair) => boolean): void {
    if (!ranges.every(isSo))
      throw new Error(`node ${this.#node.place} promises what it does not hold`)
  }

  #holds([offset, length]: RangePair): boolean {
    const { held, file, reachedBytes } = this.#node
    if (offset + length <= reachedBytes) return true
    const last = Math.floor((offset + length - 1) / file.blockBytes)
    for (let block = Math.floor(offset / file.blockBytes); block <= last; block++)
      if (!held.isBlockVerified(block)) return false
    return true
  }

  /** Bytes that lie there count as landed from now on. */
  holding(offset: number, length: number): void {
    this.#writes()
    if (this.#node.file.landed.present(offset, length).length > 0)
      throw new Error(`node ${this.#node.place} has two writers at ${offset}: it landed there`)
  }

  /** A repair is about to be copied in; `copied` follows. */
  copying(offset: number, length: number): void {
    this.#writes()
    const { place, file, held } = this.#node
    const first = Math.floor(offset / file.blockBytes)
    for (let block = first; block * file.blockBytes < offset + length; block++)
      if (held.isBlockVerified(block))
        throw new Error(`node ${place} has two writers at ${offset}: it is verified`)
    if (this.#copying.present(offset, length).length > 0)
      throw new Error(`node ${place} has two writers at ${offset}: both copy`)
    this.#copying.add(offset, length)
  }

  copied(offset: number, length: number): void {
    this.#copying.remove(offset, length)
  }

  #writes(): void {
    if (this.#node.hasEnded) throw new Error(`node ${this.#node.place} writes after its end`)
  }

  /** The file is published, so often by now. */
  published(): void {
    const { place, file, publications } = this.#node
    if (!file.isRight) throw new FrError('ERR_FR_DIGEST', `node ${place} published a wrong file`)
    if (publications > 1) throw new FrError('ERR_FR_DIGEST', `node ${place} published twice`)
  }
}
