/**
 * A peer that holds the key and breaks the rules: a hand-made origin or mate on top of the codecs.
 * It sends what a test tells it to and records what it receives.
 */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import xxhash from 'xxhash-wasm'
import { blockBytesFor, limits } from '../../src/base/limits.js'
import type { RangePair } from '../../src/base/ranges.js'
import {
  type Frame,
  type Mate,
  originNumber,
  type PlanFrame,
  type StreamEntry,
} from '../../src/control/messages/types.js'
import { encodeRecordHeader, type RecordHeader } from '../../src/engine/portable/record.js'
import { freshSigner, nodePrimitives, randomId, selfOf } from '../../src/net/crypto.js'
import { accept, dial, type Established, type Self } from '../../src/net/handshake.js'
import { parseKey } from '../../src/net/keys.js'
import { type DigestPlace, signDigests } from '../../src/protocol/digest-record.js'
import { encodeBody, encodeFrame, FrameReader } from '../../src/protocol/frames.js'
import { encodeName, paginate } from '../../src/protocol/manifest.js'
import type { Signer } from '../../src/protocol/primitives.js'
import { type Edge, edgeOf } from '../../src/protocol/ticket.js'

export const keyText = 'k'.repeat(40)
export const key = parseKey(keyText)
const { h64Raw } = await xxhash()

const sound: RecordHeader = {
  kind: 'payload',
  route: 0,
  scratch: false,
  stream: 0,
  offset: 0,
  length: 1,
  digestBytes: 0,
}

/** Edges of a hostile origin; all peers of one transfer can derive them. */
export function hostileEdge(transfer: string, places: readonly [number, number]): Edge {
  return edgeOf(nodePrimitives, Buffer.from(transfer), places)
}

/** A control link that can send anything. */
export class HostileLink {
  readonly socket: Socket
  readonly heard: Frame[] = []
  isClosed = false
  /** Called for each frame, beside what waits for it. */
  onFrame: (frame: Frame) => void = () => {}
  /** Edges given by an honest origin, by the member number at the other end. */
  readonly edges = new Map<number, Edge>()
  readonly #reader = new FrameReader()
  readonly #waiting: (() => void)[] = []

  constructor(established: Established) {
    this.socket = established.detach()
    this.socket.on('error', () => {})
    this.socket.on('data', (chunk) => {
      this.#reader.push(chunk, (frame) => {
        this.heard.push(frame)
        this.onFrame(frame)
        if (frame.type !== 'plan') return
        for (const { member, id, secret } of frame.edges)
          this.edges.set(member, { id, secret: Buffer.from(secret, 'hex') })
      })
      this.#wake()
    })
    this.socket.on('close', () => {
      this.isClosed = true
      this.#wake()
    })
    this.socket.resume()
  }

  seal(frame: Frame): Uint8Array {
    return encodeFrame(encodeBody(frame))
  }

  say(...frames: readonly Frame[]): void {
    for (const frame of frames) this.socket.write(this.seal(frame))
  }

  /** Sends a body that no honest sender makes. */
  sayBody(type: number, body: object): void {
    const bytes = new Uint8Array(Buffer.from(JSON.stringify(body)))
    this.socket.write(encodeFrame({ type, bytes }))
  }

  /** The first frame of this type; throws when the link closes without one. */
  async next<T extends Frame['type']>(type: T): Promise<Extract<Frame, { type: T }>> {
    for (;;) {
      const at = this.heard.findIndex((frame) => frame.type === type)
      if (at >= 0) return this.heard.splice(at, 1)[0] as Extract<Frame, { type: T }>
      if (this.isClosed) throw new Error(`closed without '${type}': ${JSON.stringify(this.heard)}`)
      await this.#more()
    }
  }

  /** The next plan that has routes. */
  async running(): Promise<PlanFrame> {
    for (;;) {
      const plan = await this.next('plan')
      if (plan.phase === 'running') return plan
    }
  }

  /** Waits until the plan has given an edge to this member. */
  async edge(index: number): Promise<Edge> {
    for (;;) {
      const edge = this.edges.get(index)
      if (edge !== undefined) return edge
      if (this.isClosed) throw new Error(`closed without an edge to ${index}`)
      await this.#more()
    }
  }

  async closed(): Promise<void> {
    while (!this.isClosed) await this.#more()
  }

  #more(): Promise<void> {
    return new Promise((resolve) => void this.#waiting.push(resolve))
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

/** A data connection that can send anything. */
export class HostileFeed {
  readonly socket: Socket
  readonly #seed: bigint

  constructor(established: Established) {
    this.#seed = established.feed.recordSeed
    this.socket = established.detach()
    this.socket.on('error', () => {})
    this.socket.resume()
  }

  record(header: Partial<RecordHeader>, bytes: Uint8Array = new Uint8Array()): void {
    const head = Buffer.alloc(32)
    encodeRecordHeader(head, { ...sound, ...header }, this.#seed, h64Raw)
    this.socket.write(Buffer.concat([head, bytes]))
  }

  digests(place: DigestPlace, payload: Uint8Array, relay = false): void {
    this.record(
      { kind: 'digests', ...place, route: relay ? 1 : 0, digestBytes: payload.length },
      payload,
    )
  }
}

/** Accepts data connections of nodes and keeps their payload. */
export class HostileInbox {
  readonly #payload = new Map<number, Buffer>()
  /** Payloads of digest records, in order of arrival. */
  readonly digests: Buffer[] = []
  connections = 0
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #bytes = 0
  #wake: () => void = () => {}

  constructor(self: Self) {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket)
      void accept(socket, { keys: [key], self })
        .then((early) => {
          if (early.channel !== 'data') return early.go()
          return early.go(hostileEdge(early.transfer, [early.from, early.to]))
        })
        .then((established) => this.#read(established.detach()))
        .catch(() => socket.destroy())
    })
    this.#server.listen(0, '127.0.0.1')
  }

  async listening(): Promise<void> {
    if (!this.#server.listening) await once(this.#server, 'listening')
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Received bytes of a range, in file order, however many records carried them. */
  payload([offset, length]: RangePair): Buffer {
    const inside = [...this.#payload].filter(([at]) => at >= offset && at < offset + length)
    return Buffer.concat(inside.sort(([a], [b]) => a - b).map(([, bytes]) => bytes))
  }

  /** Waits until this many payload bytes have arrived. */
  async received(bytes: number): Promise<void> {
    while (this.#bytes < bytes)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
  }

  #read(socket: Socket): void {
    this.connections++
    let waiting = Buffer.alloc(0)
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      waiting = Buffer.concat([waiting, chunk])
      while (waiting.length >= 32) {
        const isPayload = waiting[3] === 1
        const isDigests = waiting[3] === 3
        const length = isPayload ? waiting.readUInt32LE(24) : waiting.readUInt32LE(12)
        if (waiting.length < 32 + length) break
        const bytes = waiting.subarray(32, 32 + length)
        if (isPayload) this.#payload.set(Number(waiting.readBigUInt64LE(16)), Buffer.from(bytes))
        if (isPayload) this.#bytes += length
        if (isDigests) this.digests.push(Buffer.from(bytes))
        waiting = waiting.subarray(32 + length)
      }
      this.#wake()
    })
    socket.resume()
  }
}

export interface HostileOffer {
  readonly name: string | Uint8Array
  readonly bytes: number
}

export class Hostile {
  readonly transfer: string
  readonly #self = selfOf(freshSigner())
  readonly #author = freshSigner()
  readonly #contentId = randomId()
  readonly #address: string
  readonly #sockets: Socket[] = []
  readonly #links: HostileLink[] = []
  readonly #inboxes: HostileInbox[] = []
  #epoch = 1

  constructor(address: string, transfer: string = randomId()) {
    this.#address = address
    this.transfer = transfer
  }

  get nodeId(): string {
    return this.#self.nodeId
  }

  /** Signs what it offers; the digests are somebody else's, as a stand-in's are. */
  get offerer(): Signer {
    return this.#self.signer
  }

  /** A signed digest record of the offered file, in the smallest blocks. */
  signed(place: DigestPlace, digests: Uint8Array, author = this.#author): Uint8Array {
    const content = { contentId: this.#contentId, algorithm: 'xxh64', blockBytes: 65_536 } as const
    return signDigests(author, content, place, digests)
  }

  async control(): Promise<HostileLink> {
    const established = await this.#dial({ channel: 'control' })
    const link = new HostileLink(established)
    this.#sockets.push(link.socket)
    this.#links.push(link)
    return link
  }

  /** A link for questions. */
  async question(): Promise<HostileLink> {
    const link = new HostileLink(await this.#dial({ channel: 'status' }))
    this.#sockets.push(link.socket)
    return link
  }

  /** Rejects with the node's answer when it refuses. */
  async data(
    from: number = originNumber,
    transfer: string = this.transfer,
    to = 0,
    edge: Edge = hostileEdge(transfer, [from, to]),
    isBeside = false,
  ): Promise<HostileFeed> {
    const established = await this.#dial({ channel: 'data', from, to, transfer, edge, isBeside })
    const feed = new HostileFeed(established)
    this.#sockets.push(feed.socket)
    return feed
  }

  /** One more flow of a data connection. Rejects as `data` does. */
  flow(from: number = originNumber): Promise<HostileFeed> {
    return this.data(from, this.transfer, 0, undefined, true)
  }

  /** The link on which a mate asks for bytes. Rejects with the node's answer when it refuses. */
  async pull(from: number, to = 0): Promise<HostileLink> {
    const { transfer } = this
    const established = await this.#dial({ channel: 'pull', from, to, transfer })
    const link = new HostileLink(established)
    this.#sockets.push(link.socket)
    return link
  }

  /** A link that fetches a file, what was offered, and a data connection that reads nothing. */
  async fetch(name: string, more: { readonly standing?: true } = {}) {
    const link = new HostileLink(await this.#dial({ channel: 'fetch' }))
    this.#sockets.push(link.socket)
    link.say({ type: 'fetch', ...encodeName(Buffer.from(name)), ...more })
    const offer = await link.next('fetched')
    const { transfer, you: from } = offer
    const edge = { id: offer.edge.id, secret: Buffer.from(offer.edge.secret, 'hex') }
    const established = await this.#dial({ channel: 'data', from, to: 0, transfer, edge })
    const socket = established.detach()
    socket.on('error', () => {})
    this.#sockets.push(socket)
    return { link, offer, socket }
  }

  /** An address for nodes to dial; the inbox keeps what arrives over data connections. */
  async listen(): Promise<HostileInbox> {
    const inbox = new HostileInbox(this.#self)
    await inbox.listening()
    this.#inboxes.push(inbox)
    return inbox
  }

  /** The frames of an honest offer, with edges to members up to 4. */
  offer({
    name,
    bytes,
  }: HostileOffer): [offer: Frame & { type: 'offer' }, manifest: Frame, edges: Frame] {
    const entry: StreamEntry = {
      stream: 0,
      contentId: this.#contentId,
      author: Buffer.from(this.#author.publicKey).toString('hex'),
      ...encodeName(Buffer.from(name)),
      base: 0,
      span: bytes,
      size: bytes,
      dataBytes: bytes,
      mode: 0o644,
      mtimeSeconds: 0,
      mtimeNanos: 0,
    }
    const { pages, summary } = paginate([entry], this.offerer)
    const { transfer } = this
    const offer = {
      type: 'offer',
      transfer,
      author: Buffer.from(this.offerer.publicKey).toString('hex'),
      digest: 'xxh64',
      noClobber: false,
      strict: false,
      fileDigest: null,
      ...summary,
      silenceMs: limits.silenceMs,
      planned: false,
      role: 'receiver',
    } as const
    const edges = [originNumber, 1, 2, 3, 4].map((member) => {
      const { id, secret } = hostileEdge(transfer, [0, member])
      return { member, id, secret: Buffer.from(secret).toString('hex') }
    })
    return [offer, pages[0] as Frame, { ...this.plan([]), phase: 'forming', edges }]
  }

  /** A link on which the node has accepted an offer. */
  async accepted(offer: HostileOffer): Promise<HostileLink> {
    const link = await this.control()
    link.say(...this.offer(offer))
    await link.next('accept')
    return link
  }

  /** A plan in which the node is number 0 and relays nothing. Each is newer than the last. */
  plan(mates: readonly Mate[]): PlanFrame {
    const origin = { number: originNumber, nodeId: this.nodeId }
    return {
      type: 'plan',
      term: { counter: 2, member: originNumber },
      epoch: this.#epoch++,
      you: 0,
      phase: 'running',
      ...({ strategy: 'classic', shape: 'group', progressMs: 250, reportMs: 0 } as const),
      members: [origin, { number: 0, nodeId: '0'.repeat(32) }, ...mates],
      parents: [originNumber],
      routes: [],
      avoid: [],
      siteShares: [],
      coordinator: originNumber,
      standbys: [],
      reportTo: originNumber,
      edges: [],
    }
  }

  /** Calls off what it offered, so that no node waits for another coordinator. */
  leave(): void {
    for (const link of this.#links)
      if (!link.isClosed) link.say({ type: 'abort', code: 'ERR_FR_ABORTED', text: 'the test ends' })
  }

  dispose(): void {
    for (const socket of this.#sockets) socket.destroy()
    for (const inbox of this.#inboxes) inbox.close()
  }

  #dial(fields: {
    channel: 'control' | 'data' | 'fetch' | 'pull' | 'status'
    from?: number
    to?: number
    transfer?: string
    edge?: Edge
    isBeside?: boolean
  }): Promise<Established> {
    return dial({ address: this.#address, keys: [key], self: this.#self, ...fields })
  }
}

/** Digest of a block, and of a file of one block. */
export function digestsOf(content: Uint8Array): { block: Uint8Array; file: string } {
  const block = Buffer.alloc(8)
  block.writeBigUInt64BE(h64Raw(content, 0n))
  return { block, file: fileDigestOf(content) }
}

export function fileDigestOf(content: Uint8Array): string {
  const blockBytes = blockBytesFor(content.length)
  const head = Buffer.alloc(16)
  head.writeBigUInt64LE(BigInt(content.length), 0)
  head.writeBigUInt64LE(BigInt(blockBytes), 8)
  const parts: Uint8Array[] = [head]
  for (let offset = 0; offset < content.length; offset += blockBytes) {
    const block = Buffer.alloc(8)
    block.writeBigUInt64BE(h64Raw(content.subarray(offset, offset + blockBytes), 0n))
    parts.push(block)
  }
  const sum = h64Raw(Buffer.concat(parts), 0n)
  return `xxh64-blocks/${blockBytes}:${sum.toString(16).padStart(16, '0')}`
}
