/**
 * Whose bytes reach this node: told to the origin with every report, as a sign of life of mates
 * whose own word may be stuck behind those bytes.
 */
export class Heard {
  readonly #bytes = new Map<number, number>()

  /** Mates from whom payload has come since the last call, by their index, ascending. */
  since(received: readonly { readonly index: number; readonly receivedBytes: number }[]): number[] {
    const heard: number[] = []
    for (const { index, receivedBytes } of received) {
      if (receivedBytes !== (this.#bytes.get(index) ?? 0)) heard.push(index)
      this.#bytes.set(index, receivedBytes)
    }
    return heard.sort((a, b) => a - b)
  }
}
