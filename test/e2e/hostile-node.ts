import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import type { Mate } from '../../src/control/messages/types.js'
import { freshSigner, selfOf } from '../../src/net/crypto.js'
import {
  type Admitted,
  accept,
  dial,
  type Established,
  type Ticketed,
} from '../../src/net/handshake.js'
import { HostileLink, key } from './hostile.js'

/** A hand-made node: it accepts what an origin dials, and sends what a test tells it to. */
export class HostileNode {
  readonly #self = selfOf(freshSigner())
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #dialled: (Admitted | Ticketed)[] = []
  #link: HostileLink | undefined
  #wake: () => void = () => {}

  constructor() {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket)
      void accept(socket, { keys: [key], self: this.#self })
        .then((early) => {
          this.#dialled.push(early)
          this.#wake()
        })
        .catch(() => socket.destroy())
    })
    this.#server.listen(0, '127.0.0.1')
  }

  async listening(): Promise<string> {
    if (!this.#server.listening) await once(this.#server, 'listening')
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async control(): Promise<HostileLink> {
    const admitted = await this.#next((early): early is Admitted => early.channel === 'control')
    this.#link = new HostileLink(await admitted.go())
    return this.#link
  }

  /** The next link for questions. */
  async question(): Promise<HostileLink> {
    const admitted = await this.#next((early): early is Admitted => early.channel === 'status')
    return new HostileLink(await admitted.go())
  }

  /** The next data connection, whose ticket is on the control link. */
  async feed(): Promise<Established> {
    const ticketed = await this.#next((early): early is Ticketed => early.channel === 'data')
    return ticketed.go(await this.#controlLink.edge(ticketed.from))
  }

  /** The connection on which the origin sends; nobody reads it. */
  async data(): Promise<Socket> {
    const socket = (await this.feed()).detach()
    return socket.on('error', () => {})
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
  }

  /** Opens a data connection to a mate and sends nothing on it. */
  async dialMate(transfer: string, from: number, mate: Mate): Promise<void> {
    const edge = await this.#controlLink.edge(mate.number)
    const fields = { channel: 'data', transfer, from, to: mate.number, edge } as const
    const dialled = { address: mate.address, keys: [key], self: this.#self, ...fields }
    const socket = (await dial(dialled)).detach()
    this.#sockets.add(socket.on('error', () => {}).resume())
  }

  get #controlLink(): HostileLink {
    if (this.#link === undefined) throw new Error('the control link comes first')
    return this.#link
  }

  /** The oldest connection that was dialled and not yet taken. */
  async #next<T extends Admitted | Ticketed>(
    isWanted: (early: Admitted | Ticketed) => early is T,
  ): Promise<T> {
    for (;;) {
      const found = this.#dialled.find(isWanted)
      if (found !== undefined) {
        this.#dialled.splice(this.#dialled.indexOf(found), 1)
        return found
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}
