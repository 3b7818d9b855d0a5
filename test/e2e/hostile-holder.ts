/** A hand-made node that says it holds a file, and then does what a test tells it to. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import type { RangePair } from '../../src/base/ranges.js'
import type { FetchOffer, Frame } from '../../src/control/messages/types.js'
import { freshSigner, selfOf } from '../../src/net/crypto.js'
import { accept } from '../../src/net/handshake.js'
import { encodeName } from '../../src/protocol/manifest.js'
import type { Authored } from './get-support.js'
import { HostileFeed, HostileLink, key } from './hostile.js'

const edge = { id: 'e'.repeat(32), secret: new Uint8Array(32).fill(7) }
const transfer = 'd'.repeat(32)

/** What an honest holder does; a test changes parts of it. */
export interface Ways {
  /** Null: never answers. */
  offer(honest: FetchOffer): Frame | null
  digests(feed: HostileFeed, authored: Authored, ranges: readonly RangePair[]): void
  bytes(honest: Buffer, offset: number): Buffer
  holding(ranges: readonly RangePair[]): readonly RangePair[]
  /** Sends something else before the bytes of a pull. */
  before(feed: HostileFeed, ranges: readonly RangePair[]): void
  /** Sends what was asked for again. */
  repairs: boolean
  /** Sends what it promised. */
  sends: boolean
  /** Says that so many flows would fill the way, and sends once they are open. */
  flows: number
}

const honest: Ways = {
  offer: (offer) => ({ type: 'fetched', ...offer }),
  digests: (feed, { runs }) => {
    for (const { payload, ...place } of runs) feed.digests(place, payload)
  },
  bytes: (bytes) => bytes,
  holding: (ranges) => ranges,
  before: () => {},
  repairs: true,
  sends: true,
  flows: 1,
}

export class HostileHolder {
  /** How often it was asked. */
  readonly asked = { names: 0, pulls: 0, repairs: 0, digests: 0, flows: 0 }
  readonly #authored: Authored
  readonly #ways: Ways
  readonly #self = selfOf(freshSigner())
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #feeds: HostileFeed[] = []
  /** Wait until it has all flows. */
  readonly #late: (() => void)[] = []

  constructor(authored: Authored, ways: Partial<Ways>) {
    this.#authored = authored
    this.#ways = { ...honest, ...ways }
    this.#server = createServer((socket) => {
      this.#sockets.add(socket)
      void accept(socket, { keys: [key], self: this.#self })
        .then(async (early) => {
          if (early.channel !== 'data') this.#serve(new HostileLink(await early.go()))
          else if (early.isBeside) this.#open(new HostileFeed(await early.go(edge, null)))
          else this.#open(new HostileFeed(await early.go(edge)))
        })
        .catch(() => socket.destroy())
    })
    this.#server.listen(0, '127.0.0.1')
  }

  get nodeId(): string {
    return this.#self.nodeId
  }

  async listening(): Promise<string> {
    if (!this.#server.listening) await once(this.#server, 'listening')
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
  }

  #offer(name: string): FetchOffer {
    const { content, contentId, author, algorithm, fileDigest } = this.#authored
    const { length: size } = content
    const entry = {
      ...{ stream: 0, contentId, ...encodeName(Buffer.from(name)), base: 0, span: size, size },
      author: Buffer.from(author.publicKey).toString('hex'),
      ...{ dataBytes: size, mode: 0o644, mtimeSeconds: 0, mtimeNanos: 0 },
    }
    const secret = Buffer.from(edge.secret).toString('hex')
    return { transfer, you: 1, edge: { id: edge.id, secret }, entry, digest: algorithm, fileDigest }
  }

  #open(feed: HostileFeed): void {
    this.asked.flows = this.#feeds.push(feed)
    if (this.asked.flows >= this.#ways.flows) for (const send of this.#late.splice(0)) send()
  }

  #serve(link: HostileLink): void {
    const { asked } = this
    const feed = (): HostileFeed => this.#feeds[0] as HostileFeed
    link.onFrame = (frame) => {
      if (frame.type === 'fetch') {
        asked.names++
        const answer = this.#ways.offer(this.#offer(frame.name))
        if (answer !== null) link.say(answer)
      } else if (frame.type === 'needDigests') {
        asked.digests++
        this.#ways.digests(feed(), this.#authored, frame.ranges)
      } else if (frame.type === 'pull') {
        asked.pulls++
        const ranges = this.#ways.holding(frame.ranges)
        link.say({ type: 'holding', request: frame.request, ranges, backlogBytes: 0 })
        this.#ways.before(feed(), ranges)
        const send = (): void => this.#send(ranges, false)
        const { flows: count, sends } = this.#ways
        if (asked.flows < count) {
          link.say({ type: 'flows', count })
          this.#late.push(send)
        } else if (sends) send()
      } else if (frame.type === 'need') {
        asked.repairs++
        if (this.#ways.repairs) this.#send(frame.ranges, true)
      }
    }
  }

  /** On all flows in turn. */
  #send(ranges: readonly RangePair[], scratch: boolean): void {
    const most = 65_536
    for (const [offset, length] of ranges)
      for (let at = offset; at < offset + length; at += most) {
        const part = this.#authored.content.subarray(at, Math.min(at + most, offset + length))
        const bytes = this.#ways.bytes(part, at)
        const feed = this.#feeds[(at / most) % this.#feeds.length]
        feed?.record({ kind: 'payload', scratch, offset: at, length: bytes.length }, bytes)
      }
  }
}
