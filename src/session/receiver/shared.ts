/**
 * Publication of a file in a directory that several nodes use (store/shared/contents.ts): what
 * another node brings is waited for, and what this one has brought is there for the others.
 */
import { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { nowMs } from '../../base/time/awake.js'
import type { Told } from '../../control/receiver/events.js'
import type { SharedContents, SharedPart } from '../../store/shared/contents.js'
import type { Publication } from './publish.js'
import type { HowItCame } from './record.js'
import type { ReceptionSpec } from './spec.js'

/**
 * Throws for what nodes cannot share: ERR_FR_CODING, so that it comes as it is, and
 * ERR_FR_UNSUPPORTED.
 */
export function requireSharable({ entry, tree, keep, beside }: ReceptionSpec): void {
  const text = 'nodes that share a directory decode nothing there'
  const growing = 'files that are still written (--no-follow sends a stream whole)'
  if (entry.coded !== undefined) throw new FrError('ERR_FR_CODING', text)
  const [what] = [
    ...(tree === undefined ? [] : ['trees']),
    ...(entry.growing === true ? [growing] : []),
    ...(keep === undefined || keep === 0 ? [] : ['earlier versions']),
    ...(beside === true ? ['files that nodes decide about'] : []),
  ]
  if (what !== undefined)
    throw new FrError('ERR_FR_UNSUPPORTED', `a directory that nodes share takes no ${what} yet`)
}

interface Waiting {
  readonly isOver: () => boolean
  /** It waits, and has its time again. */
  readonly waits: () => void
}

export class SharedPublication implements Publication {
  readonly #plain: Publication
  readonly #contents: SharedContents
  readonly #spec: ReceptionSpec
  readonly #waiting: Waiting
  #part: SharedPart | undefined
  #saidMs: number | undefined

  constructor(plain: Publication, contents: SharedContents, spec: ReceptionSpec, waiting: Waiting) {
    this.#plain = plain
    this.#contents = contents
    this.#spec = spec
    this.#waiting = waiting
  }

  get name(): Uint8Array {
    return this.#plain.name
  }

  /** Of what another node has brought. */
  get foundDigest(): string | null {
    return this.#part?.fileDigest ?? null
  }

  /** After a refusal of the name; resolves when nobody else brings the content. */
  async checkName(): Promise<void> {
    await this.#plain.checkName()
    const { entry, algorithm, noClobber } = this.#spec
    const { contentId, author, size, mode, mtimeSeconds, mtimeNanos, only = '' } = entry
    this.#part = await this.#contents.arrive({
      name: this.name,
      identity: [contentId, author, algorithm, size, mode, mtimeSeconds, mtimeNanos, only],
      ...{ noClobber, isOver: () => this.#waits() },
    })
  }

  /** The origin hears now and then that there is no answer yet. */
  #waits(): boolean {
    const { isOver, waits } = this.#waiting
    const now = nowMs()
    this.#saidMs ??= now
    if (now - this.#saidMs < limits.claimEveryMs || isOver()) return isOver()
    this.#saidMs = now
    waits()
    return false
  }

  probe(): Promise<void> {
    return this.#plain.probe()
  }

  sum(digests: Uint8Array): string {
    return this.#plain.sum(digests)
  }

  async publish(isDurable: () => Promise<void>, arrived: () => HowItCame): Promise<Told> {
    const told = await this.#plain.publish(isDurable, arrived)
    const warnings = (await this.#part?.published()) ?? []
    return { ...told, warnings: [...told.warnings, ...warnings] }
  }

  async release(): Promise<void> {
    await this.#part?.end()
  }
}
