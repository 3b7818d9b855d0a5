/** What a machine wishes while it handles one fact, in the order of the wishes. */
export class Outbox<W> {
  #wishes: W[] = []

  /** Everything since the last time. */
  take(): W[] {
    const taken = this.#wishes
    this.#wishes = []
    return taken
  }

  wish(...wishes: readonly W[]): void {
    for (const wish of wishes) this.#wishes.push(wish)
  }
}
