/**
 * From a new control link to a transfer: the offer, then the pages of its manifest, within
 * acceptMs. A violation closes the link with an error code, and nothing of the offer is kept.
 */
import { bytesOfHex } from '../base/bytes.js'
import { FrError } from '../base/errors.js'
import { blockBytesFor, limits } from '../base/limits.js'
import type { Frame, StreamEntry } from '../control/messages/types.js'
import { nodePrimitives } from '../net/crypto.js'
import type { Established } from '../net/handshake.js'
import type { ControlLink } from '../net/link.js'
import { ManifestAssembler } from '../protocol/manifest.js'
import type { Consents } from '../session/receiver/consents.js'
import type { Reception } from '../session/receiver/reception.js'
import type { ReceptionSpec } from '../session/receiver/spec.js'
import type { Published } from './published.js'

export type Offer = Frame & { readonly type: 'offer' }

export interface CompleteOffer {
  readonly offer: Offer
  readonly entry: StreamEntry
}

/** What is asked of where it is to land. */
export interface Arriving {
  readonly offer: Pick<Offer, 'role' | 'tree' | 'fileDigest' | 'digest'>
  /** One file or tree. */
  readonly entry: StreamEntry
}

/** Who dials, and who hears of the reception that comes of it. */
export interface Caller {
  readonly established: Established
  readonly link: ControlLink
  readonly reader: OfferReader
  readonly taken: (by: Reception) => void
}

export class OfferReader {
  #offer: Offer | undefined
  #assembler: ManifestAssembler | undefined
  #isComplete = false
  /** What came behind an offer that has to wait. */
  readonly #rest: Frame[] = []

  /** Returns the offer once its manifest is complete; throws FrError for an unexpected frame. */
  take(frame: Frame): CompleteOffer | undefined {
    if (frame.type === 'beat') return undefined
    if (this.#isComplete) return this.#keep(frame)
    if (this.#offer === undefined || this.#assembler === undefined) {
      if (frame.type !== 'offer')
        throw new FrError('ERR_FR_PROTOCOL', `'${frame.type}' came before an offer`)
      if (frame.streams !== 1) {
        throw new FrError(
          'ERR_FR_UNSUPPORTED',
          `this version does not support ${frame.streams} files in one transfer`,
        )
      }
      this.#offer = frame
      const author = bytesOfHex(frame.author) ?? new Uint8Array()
      this.#assembler = new ManifestAssembler(frame, nodePrimitives, author)
      return undefined
    }
    if (frame.type !== 'manifest') {
      throw new FrError('ERR_FR_PROTOCOL', `'${frame.type}' came before the manifest was complete`)
    }
    const entry = this.#assembler.add(frame)?.[0]
    if (entry === undefined) return undefined
    if (entry.stream !== 0 || entry.base !== 0)
      throw new FrError('ERR_FR_UNSUPPORTED', 'the only stream must be stream 0, at 0')
    refuseGrowing(this.#offer, entry)
    const blocks = Math.ceil(entry.size / blockBytesFor(entry.size))
    if (blocks > limits.blocksPerFile) {
      throw new FrError('ERR_FR_LIMIT', `the file has ${blocks} blocks, more than a node accepts`)
    }
    this.#isComplete = true
    return { offer: this.#offer, entry }
  }

  /** In order, and once. */
  takeRest(): Frame[] {
    return this.#rest.splice(0)
  }

  #keep(frame: Frame): undefined {
    if (this.#rest.length >= limits.framesBehindOffer)
      throw new FrError('ERR_FR_PROTOCOL', 'too much came behind an offer that waits')
    this.#rest.push(frame)
  }
}

/** What is still written has digests of one kind, and is sent in one way so far. */
function refuseGrowing({ digest, role, tree, beside }: Offer, { growing }: StreamEntry): void {
  if (growing !== true) return
  if (digest !== 'blake3')
    throw new FrError(
      'ERR_FR_PROTOCOL',
      `a content that grows has digests of blake3, not ${digest}`,
    )
  const what = role === 'receiver' ? (tree ? 'trees' : beside ? 'a commit' : null) : `a ${role}`
  const text = `this version follows no content with ${what}`
  if (what !== null) throw new FrError('ERR_FR_UNSUPPORTED', text)
}

/** `published`: what this very transfer may have published here. */
export function receptionSpecOf(
  { offer, entry }: CompleteOffer,
  { peer, remoteAddress }: Established,
  { published: earlier, consents }: { published: Published; consents: Consents },
  { after, place }: Pick<ReceptionSpec, 'after' | 'place'>,
): ReceptionSpec {
  const { transfer, strict, role, silenceMs, detection, share, tree, keep, beside } = offer
  const originId = peer?.nodeId ?? ''
  const published = earlier.digestOf(transfer, originId)
  return {
    ...{ transfer, strict, role, entry, silenceMs, detection, share, tree, keep, beside },
    algorithm: offer.digest,
    noClobber: offer.noClobber && published === null,
    // Of a bundle nothing stays that would have its digest.
    fileDigest: tree?.isBundle ? null : (offer.fileDigest ?? published),
    ...{ originId, place },
    originAddress: remoteAddress,
    // A tree of which parts came before has its plan, and goes on.
    isPlanned: offer.planned || consents.has({ originId, tree }),
    ...(after && { after }),
  }
}
