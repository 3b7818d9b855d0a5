/**
 * Who is told when a version that was brought for a decision takes its name: the program around the
 * node, then and not before. A push that brings one tells nothing by itself.
 */
import { limits } from '../base/limits.js'
import type { Decree } from '../control/messages/commit.js'
import type { Audience, NodePublication } from '../session/receiver/acceptance.js'
import type { HeldStream } from '../store/catalogue/record.js'

export class SwitchesTold {
  readonly #audience: Pick<Audience, 'published'>
  /** What has come and has no name yet, by name and content, and when. */
  readonly #ready = new Map<string, { readonly what: NodePublication; readonly atMs: number }>()

  constructor(audience: Pick<Audience, 'published'>) {
    this.#audience = audience
  }

  /** A transfer has brought it beside what has the name. */
  ready(what: NodePublication, atMs: number): void {
    const key = keyOf(what.name, what.digest)
    this.#ready.delete(key)
    this.#ready.set(key, { what, atMs })
    const [oldest] = this.#ready.keys()
    if (this.#ready.size > limits.commitsKept) this.#ready.delete(oldest as string)
  }

  /** It will not have it. */
  drop({ name, fileDigest }: Pick<Decree, 'name' | 'fileDigest'>): void {
    this.#ready.delete(keyOf(name, fileDigest))
  }

  /**
   * It has its name now. `isNew`: it was brought for this decision; what an earlier process heard
   * of that is not known, so its transfer is the decision, and it has no sender.
   */
  switched(
    { id: transfer, name, fileDigest: digest }: Pick<Decree, 'id' | 'name' | 'fileDigest'>,
    { size: bytes }: Pick<HeldStream, 'size'>,
    isNew: boolean,
    nowMs: number,
  ): void {
    const found = this.#ready.get(keyOf(name, digest))
    this.#ready.delete(keyOf(name, digest))
    if (found !== undefined) {
      const seconds = found.what.seconds + Math.max(0, Math.round(nowMs - found.atMs)) / 1000
      return this.#audience.published({ ...found.what, seconds })
    }
    if (isNew) this.#audience.published({ transfer, name, bytes, sender: '', seconds: 0, digest })
  }
}

function keyOf(name: string, digest: string): string {
  return `${digest} ${name}`
}
