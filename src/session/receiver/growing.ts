/**
 * Publication of a content that was still written when it was offered. Once its end is known, it is
 * an ordinary file of that size, with the digests that a file of that size has.
 */
import { blockBytesFor, limits } from '../../base/limits.js'
import type { BlockBytes } from '../../base/sections.js'
import type { StreamEntry } from '../../control/messages/types.js'
import type { Told } from '../../control/receiver/events.js'
import type { DataEngine } from '../../ports.js'
import type { Partial } from '../../store/partial.js'
import type { ReceiverPorts } from '../driver/receiver.js'
import { finishedValues } from '../growing-digests.js'
import { GrowingHere } from '../growing-here.js'
import { LandingHere, type LandingHereSpec } from '../landing-here.js'
import type { Publication } from './publish.js'
import type { HowItCame } from './record.js'
import type { SignedRuns } from './signed-runs.js'
import type { ReceptionSpec } from './spec.js'

/** How the content of an entry is cut, and the most that it may come to. */
export function geometryOf({ growing, size }: Pick<StreamEntry, 'growing' | 'size'>): {
  readonly blockBytes: BlockBytes
  readonly size: number
} {
  if (growing === true) return { blockBytes: 'sections', size: limits.growingSpanBytes }
  return { blockBytes: blockBytesFor(size), size }
}

/** For those who read at this node what is still written; undefined: it is not, or not kept. */
export function growingHere(
  { role, entry, algorithm }: Pick<ReceptionSpec, 'role' | 'entry' | 'algorithm'>,
  name: Uint8Array,
  partialId: () => string,
  runs: SignedRuns,
): GrowingHere | undefined {
  if (entry.growing !== true || role !== 'receiver') return undefined
  const signed: GrowingHere['spec']['signed'] = (ranges) => runs.touching(ranges)
  return new GrowingHere({ name, entry, algorithm, partialId, signed })
}

/** For those who read at this node what a push brings; undefined: it is no file of this name. */
export function landingHere(
  spec: Pick<ReceptionSpec, 'role' | 'entry' | 'tree' | 'beside' | 'fileDigest'>,
  isShared: boolean,
  about: Omit<LandingHereSpec, 'entry' | 'fileDigest' | 'blockBytes'>,
): LandingHere | undefined {
  const { role, entry, tree, beside, fileDigest } = spec
  const isFile = entry.growing !== true && entry.coded === undefined && tree === undefined
  if (role !== 'receiver' || !isFile || isShared || beside === true) return undefined
  return new LandingHere({ ...about, entry, fileDigest, blockBytes: blockBytesFor(entry.size) })
}

/** What a session tells of digests that are signed, and of a prefix that is verified. */
export function signedPorts(
  runs: SignedRuns,
  growing: GrowingHere | undefined,
): Required<Pick<ReceiverPorts, 'signed' | 'signedFor' | 'reached'>> {
  return {
    signed: (record) => {
      runs.keep(record)
      growing?.signed(record)
    },
    signedFor: (ranges) => runs.touching(ranges).map((run) => ({ stream: 0, ...run })),
    reached: (bytes, isFinal) => growing?.reached(bytes, isFinal),
  }
}

export interface GrowingSpec {
  readonly engine: Pick<DataEngine, 'foldBlake3' | 'hashNow'>
  readonly partial: Partial
  readonly entry: StreamEntry
  /** Bytes of the content, once its end is known. */
  readonly size: () => number
  readonly publicationOf: (entry: StreamEntry) => Publication
}

export class GrowingPublication implements Publication {
  readonly #spec: GrowingSpec
  #publication: Publication

  constructor(spec: GrowingSpec) {
    this.#spec = spec
    this.#publication = spec.publicationOf(spec.entry)
  }

  get name(): Uint8Array {
    return this.#publication.name
  }

  checkName(): Promise<void> {
    return this.#publication.checkName()
  }

  probe(): Promise<void> {
    return this.#publication.probe()
  }

  /** The file has the time at which it became whole here: that of the offer was long before. */
  sum(values: Uint8Array): string {
    const { engine, partial, publicationOf } = this.#spec
    const size = this.#spec.size()
    const ms = Date.now()
    const { growing: _, ...about } = this.#spec.entry
    const entry = {
      ...{ ...about, size, dataBytes: size, span: size },
      ...{ mtimeSeconds: Math.floor(ms / 1000), mtimeNanos: (ms % 1000) * 1_000_000 },
    }
    partial.endsAs(entry)
    this.#publication = publicationOf(entry)
    return this.#publication.sum(finishedValues(engine, partial.file, size, values))
  }

  async publish(isDurable: () => Promise<void>, arrived: () => HowItCame): Promise<Told> {
    await this.#spec.partial.trim()
    return this.#publication.publish(isDurable, arrived)
  }
}
