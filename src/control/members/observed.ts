/**
 * How fast something has been seen to go: from a total that only grows, looked at now and then.
 *
 * The idea: what a link can carry shows in the best half second it has had. Shorter windows measure
 * buffers, not links; so a transfer that is over sooner has no highest rate, and none is guessed.
 * It is never below the mean of the whole time, so no transfer beats a bound that is made of it.
 * What was never needed was never seen: an observed rate is a least, not the speed of the link.
 */

/** A rate is sustained when it lasted this long. */
export const windowMs = 500
/** Of looks closer together than this only the newest is kept. */
const stepMs = 20

interface Sample {
  readonly atMs: number
  readonly bytes: number
}

export class ObservedRate {
  /** The window that ends with the newest sample; its first sample is the last one old enough. */
  readonly #samples: Sample[] = []
  /** When the first look was. */
  #startMs: number | undefined
  /** Bytes per second over the last half second, or as much of it as there has been. */
  recent = 0
  /** Bytes per second of the best half second; null: before half a second has passed. */
  highest: number | null = null

  /** `nowMs`: by the clock of whoever counted. A look from before the last one says nothing. */
  add(bytes: number, nowMs: number): void {
    const last = this.#samples.at(-1)
    if (last !== undefined && nowMs < last.atMs) return
    const sample = { atMs: nowMs, bytes: Math.max(bytes, last?.bytes ?? 0) }
    this.#startMs ??= nowMs
    // The newest look always counts: it may be the last one.
    const before = this.#samples.at(-2)
    if (before !== undefined && nowMs - before.atMs < stepMs) this.#samples.pop()
    this.#samples.push(sample)
    while (this.#samples.length > 2 && nowMs - (this.#samples[1] as Sample).atMs >= windowMs)
      this.#samples.shift()
    const first = this.#samples[0] as Sample
    const elapsedMs = nowMs - first.atMs
    if (elapsedMs === 0) return
    this.recent = (((this.#samples.at(-1) as Sample).bytes - first.bytes) / elapsedMs) * 1000
    // Time in which nothing came, at the end, is not part of what lasted.
    if (elapsedMs < windowMs || sample.bytes === (last?.bytes ?? sample.bytes)) return
    // At least the mean of all the time: what ended between two windows counts in it, and what had
    // gone before the first look, which may come late.
    const mean = (sample.bytes / (nowMs - this.#startMs)) * 1000
    this.highest = Math.max(this.highest ?? 0, this.recent, mean)
  }
}
