/**
 * A hand-made node that receives normally and claims to relay, but passes nothing on: it opens a
 * feed to each mate and sends nothing there.
 */
import { type Mate, originNumber } from '../../src/control/messages/types.js'
import { payloadFinder } from './door.js'
import type { HostileLink } from './hostile.js'
import { HostileNode } from './hostile-node.js'

export class LyingRelay {
  readonly #node = new HostileNode()
  #receivedBytes = 0
  #timer: NodeJS.Timeout | undefined

  /** Payload bytes that the origin has sent to it. */
  get receivedBytes(): number {
    return this.#receivedBytes
  }

  listening(): Promise<string> {
    return this.#node.listening()
  }

  /** Takes part in one push; resolves when it is over. */
  async run(): Promise<void> {
    const link = await this.#node.control()
    const { bytes, transfer } = await link.next('offer')
    void this.#receive()
    link.say({ type: 'claimed' }, { type: 'accept', have: [] })
    const { you, members, routes } = await link.running()
    const to = routes.flatMap((route) => route.to.map(({ member }) => member))
    const mates = members.filter((member): member is Mate => to.includes(member.number))
    await Promise.all(mates.map((mate) => this.#node.dialMate(transfer, you, mate)))
    this.#timer = setInterval(() => this.#report(link, mates, bytes), 25)
    const fileDigest = (await link.next('seal')).fileDigest as string
    link.say({ type: 'complete', bytes, repairedBytes: 0, fileDigest, warnings: [] })
    await link.closed()
  }

  close(): void {
    clearInterval(this.#timer)
    this.#node.close()
  }

  #report(link: HostileLink, mates: readonly Mate[], bytes: number): void {
    const receivedBytes = this.#receivedBytes
    const landedBytes = Math.min(bytes, receivedBytes)
    const atMs = Math.round(performance.now())
    const backlog = { atMs, landedBytes, receivedBytes }
    const counted = { landedBytes, verifiedBytes: landedBytes, receivedBytes }
    const none = { holeBytes: 0, repairedBytes: 0, duplicateBytes: 0, received: [], pulled: [] }
    const feeds = mates.map(({ number }) => ({ member: number, queuedBytes: 0, unackedBytes: 0 }))
    const sentBytes = receivedBytes * feeds.length
    link.say(
      { type: 'backlog', ...backlog, backlogBytes: 0, behind: [] },
      { type: 'progress', atMs, ...counted, ...none, sentBytes, mates: feeds },
    )
  }

  /** Reads and drops everything from the origin and from mates. */
  async #receive(): Promise<never> {
    for (;;) {
      const dialled = await this.#node.feed()
      const isOrigins = dialled.from === originNumber
      const told = (kind: string, bytes: number): void => {
        if (isOrigins && kind === 'payload') this.#receivedBytes += bytes
      }
      const read = payloadFinder('payload', told, 0)
      const socket = dialled.detach().on('error', () => {})
      socket.on('data', (chunk: Buffer) => void read(chunk))
      socket.resume()
    }
  }
}
