/**
 * What transfers have published here lately: an origin that comes back to one that is over, because
 * its link broke or another node had taken over, finds the file and no stranger's.
 */
import { limits } from '../base/limits.js'
import type { Reception } from '../session/receiver/reception.js'

export class Published {
  readonly #digests = new Map<string, string>()

  /** The transfer is over here. */
  over({ spec, publishedDigest }: Reception): void {
    if (publishedDigest === null) return
    this.#digests.set(keyOf(spec.transfer, spec.originId), publishedDigest)
    const [oldest = ''] = this.#digests.keys()
    if (this.#digests.size > limits.transfersPerNode) this.#digests.delete(oldest)
  }

  /** File digest; null: nothing is known of the transfer, or it was another origin's. */
  digestOf(transfer: string, originId: string | undefined): string | null {
    return this.#digests.get(keyOf(transfer, originId ?? '')) ?? null
  }
}

function keyOf(transfer: string, originId: string): string {
  return `${transfer} ${originId}`
}
