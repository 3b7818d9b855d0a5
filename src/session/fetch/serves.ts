/**
 * The clients that fetch files from this node: how many, and each with what is open for it.
 *
 * The idea: clients of the same content share one open file and one transfer of the engine
 * (served-file.ts), whose turns are equal shares of the uplink; how much each may have asked for is
 * bounded there. A client more than the bound is told so and may try again; one that asks for
 * nothing for a while loses its place.
 */
import { randomBytes } from 'node:crypto'
import { FrError } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import { limits } from '../../base/limits.js'
import type { Logger } from '../../base/log.js'
import { Waiting } from '../../base/time/patience.js'
import type { Frame, PackAsk } from '../../control/messages/types.js'
import { linkOver } from '../../net/dial.js'
import type { Established, Ticketed } from '../../net/handshake.js'
import { decodeName } from '../../protocol/manifest.js'
import { atFirst } from '../../store/disks/at-first.js'
import { shown } from '../../store/trees/full-name.js'
import type { FeedPlaces, FreePlace } from '../driver/feed-places.js'
import type { GrowingHere } from '../growing-here.js'
import { type AttributesOf, holderFault } from '../holders.js'
import { Client } from './client.js'
import { type ContentKey, type ContentSource, keyOf } from './served-content.js'
import { type OpenSpec, ServedFile } from './served-file.js'
import { packKeyOf } from './tree-pack.js'

export interface ServesSpec extends Pick<OpenSpec, 'engine'> {
  /** Where something of this name may be, the most likely first. */
  readonly sources: (name: Uint8Array) => readonly OpenSpec[]
  /** What lands here under this name while it is still written. */
  readonly growing: (name: Uint8Array) => GrowingHere | undefined
  readonly log: Logger
  /** Throws where whoever asks may not have it. */
  readonly admit: (who: Established, frame: FetchFrame) => void
  /** What it sends is sealed, also where a client does not want it. */
  readonly isSealed: boolean
  /** What is true of a client, for criteria. */
  readonly attributesOf: AttributesOf
  /** Clients at the same time. */
  readonly most: number
  /** The data connections that the node sends on. */
  readonly places: FeedPlaces
}

type FetchFrame = Extract<Frame, { readonly type: 'fetch' }>
type ClientEdge = NonNullable<Client['edge']>

export class Serves {
  readonly #spec: ServesSpec
  readonly #clients = new Waiting<Client>()
  /** Open files, by what was believed of them. */
  readonly #files = new Map<ContentKey, Promise<ServedFile>>()
  #isClosed = false

  constructor(spec: ServesSpec) {
    this.#spec = spec
  }

  /** Clients that are connected. */
  get size(): number {
    return this.#clients.size
  }

  /** Bytes that wait for all clients, whichever file they fetch. */
  get #queuedBytes(): number {
    const files = new Set([...this.#clients].flatMap(({ file }) => file ?? []))
    return [...files].reduce((sum, { queuedBytes }) => sum + queuedBytes, 0)
  }

  /** A client's link. */
  serve(established: Established): void {
    const link = linkOver(
      established,
      {
        onFrame: (frame) => this.#said(client, frame, established),
        onClose: () => this.#over(client),
        lastWord: (code, text) => ({ type: 'refuse', code, text }),
      },
      this.#spec.engine,
    )
    const client = new Client(link, established.remoteAddress, () => this.#queuedBytes)
    const { most } = this.#spec
    if (this.#clients.size >= most) this.#makeRoom()
    if (this.#clients.size >= most) {
      const text = `the node serves ${most} clients at the same time already`
      client.refuse(new FrError('ERR_FR_LIMIT', text))
      return
    }
    this.#expect(client, limits.acceptMs)
  }

  /** Takes a client's data connection; false when it belongs to none. */
  take(ticketed: Ticketed): boolean {
    const { transfer, from, to, edgeId } = ticketed
    const client = [...this.#clients].find(({ place }) => place?.transfer === transfer)
    if (client === undefined) return false
    const own = [...this.#clients].find(
      ({ place }) => place?.transfer === transfer && place.you === from,
    )
    if (own?.edge?.id === edgeId && to === 0 && own.expects(ticketed))
      this.#admit(own, own.edge, ticketed)
    else ticketed.refuse('ERR_FR_PROTOCOL', 'this data connection was not expected')
    return true
  }

  /** Ends all of it; resolves when every file is closed. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const client of [...this.#clients]) this.#end(client, closing())
    await Promise.allSettled(this.#files.values())
  }

  #said(client: Client, frame: Frame, who: Established): void {
    if (client.isOver) return
    this.#expect(client, limits.serveIdleMs)
    if (frame.type !== 'fetch') return client.said(frame)
    if (client.name !== undefined) throw new FrError('ERR_FR_PROTOCOL', 'a second name was asked')
    client.name = decodeName(frame)
    client.isSealed = frame.sealed === true
    client.isStanding = frame.standing === true
    this.#offer(client, client.name, frame, who).catch((error: unknown) =>
      this.#end(client, asFrError(error, 'ERR_FR_INTERNAL')),
    )
  }

  async #offer(
    client: Client,
    name: Uint8Array,
    frame: FetchFrame,
    who: Established,
  ): Promise<void> {
    this.#spec.admit(who, frame)
    let file = await this.#fileOf(name, frame)
    // The last of those who shared it may have left since it was found.
    while (file.isClosed) file = await this.#fileOf(name, frame)
    const fault = holderFault(file.content.only, who.peer, this.#spec.attributesOf)
    if (client.isOver || fault !== null) this.#closeUnused(file)
    if (fault !== null) throw fault
    if (client.isOver) return
    const isSealed = client.isSealed || this.#spec.isSealed
    const secret = new Uint8Array(randomBytes(32))
    const edge = { id: randomBytes(16).toString('hex'), secret, isSealed }
    client.offer(file, edge)
    const { log } = this.#spec
    const fields = { peer: client.address, name: Buffer.from(name).toString('utf8') }
    log({ level: 'info', event: 'serving', fields })
  }

  async #fileOf(name: Uint8Array, { pack, follow, content }: FetchFrame): Promise<ServedFile> {
    const growing = pack === undefined ? this.#spec.growing(name) : undefined
    const sources = this.#spec.sources(name)
    if (growing !== undefined && follow === true)
      return atFirst(sources, (source) => this.#open(source, growing))
    try {
      return await atFirst(sources, (source) =>
        this.#meant(source, () => keyIn(source, name, pack, content)),
      )
    } catch (error) {
      const isAbsent = error instanceof FrError && error.code === 'ERR_FR_NOT_HELD'
      if (!isAbsent || growing === undefined) throw error
      const text = `${shown(name)} is still written; --follow reads it as it comes`
      throw new FrError('ERR_FR_NOT_HELD', text)
    }
  }

  /** What is filled may get its name before it is open here: then it is found there. */
  async #meant(source: OpenSpec, find: () => Promise<ContentKey>): Promise<ServedFile> {
    const key = await find()
    try {
      return await this.#open(source, key)
    } catch (error) {
      const now = typeof key === 'string' ? await find() : key
      if (now === key) throw error
      return this.#open(source, now)
    }
  }

  /** One open file for all who want the content. */
  #open(source: OpenSpec, key: ContentKey): Promise<ServedFile> {
    const known = this.#files.get(key)
    if (known !== undefined) return known
    if (this.#isClosed) return Promise.reject(closing())
    const opening = ServedFile.open(source, key, (error) => {
      for (const client of [...this.#clients]) if (client.file === file) this.#end(client, error)
    })
    let file: ServedFile | undefined
    this.#files.set(key, opening)
    opening.then(
      (opened) => {
        file = opened
      },
      () => this.#files.delete(key),
    )
    return opening
  }

  /** The client is told where the node sends to as many as it may. */
  #admit(client: Client, edge: ClientEdge, ticketed: Ticketed): void {
    try {
      void this.#adopt(client, edge, ticketed, this.#placeFor(client, ticketed))
    } catch (error) {
      const { code, message: text } = asFrError(error, 'ERR_FR_INTERNAL')
      ticketed.refuse(code, text)
    }
  }

  #placeFor(client: Client, { isBeside }: Ticketed): FreePlace {
    const { places } = this.#spec
    if (!isBeside) return places.take()
    const free = client.flows < limits.flowsPerFeed ? places.spare() : undefined
    if (free === undefined) throw new FrError('ERR_FR_LIMIT', 'there is no place for one more flow')
    return free
  }

  async #adopt(
    client: Client,
    edge: ClientEdge,
    ticketed: Ticketed,
    free: FreePlace,
  ): Promise<void> {
    let established: Established | undefined
    try {
      established = await ticketed.go(edge, ticketed.isBeside ? null : undefined)
      if (!client.isOver && client.expects(ticketed)) return client.adopt(established, free)
      established.close()
      free()
    } catch (error) {
      established?.close()
      free()
      const { code, message: text } = asFrError(error, 'ERR_FR_NODE_LOST')
      const fields = { peer: client.address, code, text }
      this.#spec.log({ level: 'debug', event: 'feed-lost', fields })
    }
  }

  #expect(client: Client, forMs: number): void {
    this.#clients.add(client, forMs, () =>
      // Who has all that is written has nothing to ask for.
      client.isWaiting
        ? this.#expect(client, forMs)
        : this.#end(client, new FrError('ERR_FR_TIMEOUT', 'the client asked for nothing')),
    )
  }

  /** The place of one that stays without asking for anything. */
  #makeRoom(): void {
    for (const client of this.#clients)
      if (client.isResting)
        return this.#end(client, new FrError('ERR_FR_LIMIT', 'another client wants its place'))
  }

  /** Tells the client why, and ends. */
  #end(client: Client, error: FrError): void {
    if (client.isOver) return
    client.refuse(error)
    this.#over(client)
  }

  #over(client: Client): void {
    this.#clients.delete(client)
    const { file } = client
    client.end()
    if (file !== undefined) this.#closeUnused(file)
  }

  #closeUnused(file: ServedFile): void {
    if (file.isUsed || file.isClosed) return
    this.#files.delete(file.key)
    file.close()
  }
}

/** Rejects with ERR_FR_NOT_HELD, and with ERR_FR_UNSUPPORTED for a tree that is no file. */
async function keyIn(
  source: ContentSource,
  name: Uint8Array,
  pack: PackAsk | undefined,
  content: string | undefined,
): Promise<ContentKey> {
  const { trees } = source
  if (pack !== undefined) return packKeyOf(trees, name, pack)
  const key = await keyOf(source, name, content)
  if (key !== undefined) return key
  if ((await trees.meant(name)) === undefined) throw new FrError('ERR_FR_NOT_HELD')
  throw new FrError('ERR_FR_UNSUPPORTED', `${shown(name)} is a tree, and no file`)
}

function closing(): FrError {
  return new FrError('ERR_FR_NODE_CLOSED', 'the node is closing')
}
