/**
 * What the conformance tests are made of: engines with their event logs, real loopback
 * connections, real files, and peers that the test drives itself (raw.ts). Waiting is by event,
 * or by a short poll with a deadline.
 */
import { randomBytes } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import type {
  DataDirHandle,
  DataEngine,
  EngineEvent,
  FeedHandle,
  FileHandle,
  RouteTarget,
  StreamSpec,
  TransferHandle,
} from '../../src/ports.js'
import type { EngineUnderTest } from './engines.js'

export const KIB = 1024
export const MIB = 1024 * KIB
export const blockBytes = 64 * KIB
export const streamId = 7
export const seed = 0x1234_5678_9abc_def0n

/** On a machine with a lot to do; a test has a minute. */
const deadlineMs = 45_000

export const roots = existsSync('/dev/shm') ? ['/dev/shm', tmpdir()] : [tmpdir()]

/** Resolves when `check` gives something; looks again every few milliseconds. */
export async function poll<T>(what: string, check: () => T | undefined | false): Promise<T> {
  const until = Date.now() + deadlineMs
  for (;;) {
    const found = check()
    if (found !== undefined && found !== false) return found
    if (Date.now() > until) throw new Error(`never happened: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

/** Tries again until `attempt` is not refused for the lock any more. */
export async function untilUnlocked<T>(attempt: () => Promise<T>): Promise<T> {
  const last = Date.now() + deadlineMs
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if ((error as { code?: string }).code !== 'ERR_FR_DATA_DIR_LOCKED') throw error
      if (Date.now() > last) throw new Error('never unlocked', { cause: error })
    }
  }
}

type EventOf<T extends EngineEvent['type']> = Extract<EngineEvent, { type: T }>

/** An engine and everything it has said. */
export class Party {
  readonly engine: DataEngine
  readonly events: EngineEvent[]
  readonly #waiting: Set<() => void>

  constructor(engine: DataEngine, events: EngineEvent[], waiting: Set<() => void>) {
    this.engine = engine
    this.events = events
    this.#waiting = waiting
  }

  of<T extends EngineEvent['type']>(type: T): EventOf<T>[] {
    return this.events.filter((event): event is EventOf<T> => event.type === type)
  }

  /** Resolves when the log satisfies `check`, which is asked again after every batch. */
  until<T>(what: string, check: () => T | undefined | false): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(look)
        const log = this.events.slice(-5).map((event) => ({ ...event, payload: undefined }))
        reject(new Error(`never happened: ${what}; last events ${JSON.stringify(log)}`))
      }, deadlineMs)
      const look = () => {
        const found = check()
        if (found === undefined || found === false) return
        this.#waiting.delete(look)
        clearTimeout(timer)
        resolve(found)
      }
      this.#waiting.add(look)
      look()
    })
  }

  closed(feed: FeedHandle): Promise<EventOf<'feedClosed'>> {
    return this.until(`feed ${feed} closed`, () =>
      this.of('feedClosed').find((event) => event.feed === feed),
    )
  }

  failed(transfer: TransferHandle): Promise<EventOf<'fileFailed'>> {
    return this.until('file failed', () =>
      this.of('fileFailed').find((event) => event.transfer === transfer),
    )
  }

  /**
   * Blocks reported so far for a stream of this size; fails on a bad border, and on a block told
   * twice.
   */
  blocks(transfer: TransferHandle, size: number, scratch = false): Set<number> {
    const seen = new Set<number>()
    for (const event of this.of('landed')) {
      if (event.transfer !== transfer || event.scratch !== scratch) continue
      const end = event.offset + event.length
      expect(event.stream).toBe(streamId)
      expect(event.offset % blockBytes).toBe(0)
      expect(end % blockBytes === 0 || end === size).toBe(true)
      for (let at = event.offset; at < end; at += blockBytes) {
        expect(seen.has(at), `block at ${at} reported twice`).toBe(false)
        seen.add(at)
      }
    }
    return seen
  }

  landed(transfer: TransferHandle, size: number, upTo = size): Promise<true> {
    const wanted = Math.ceil(upTo / blockBytes)
    return this.until(`${wanted} blocks landed`, () => {
      const blocks = this.blocks(transfer, size)
      for (let at = 0; at < upTo; at += blockBytes) if (!blocks.has(at)) return false
      return true
    })
  }
}

export interface Receiver {
  readonly transfer: TransferHandle
  readonly size: number
  readonly dir: DataDirHandle
  readonly data: string
  readonly file: FileHandle
  readonly scratch: FileHandle
  /** What is in the partial now. */
  content(): Buffer
  scratchContent(): Buffer
}

export interface Origin {
  readonly transfer: TransferHandle
  readonly file: FileHandle
  readonly path: string
}

/** Everything one test makes, and takes down again. */
export class World {
  readonly under: EngineUnderTest
  root = ''
  parties: Party[] = []
  #sockets: Socket[] = []
  #names = 0
  readonly #relays = new Map<string, RouteTarget[]>()

  constructor(under: EngineUnderTest) {
    this.under = under
  }

  open(root = roots[0] as string): void {
    this.root = mkdtempSync(join(root, 'fr-engine-'))
  }

  async close(): Promise<void> {
    for (const { engine } of this.parties) await engine.shutdown()
    for (const socket of this.#sockets) socket.destroy()
    this.parties = []
    this.#relays.clear()
    this.#sockets = []
    rmSync(this.root, { recursive: true, force: true })
  }

  name(): string {
    this.#names += 1
    return `n${this.#names}`
  }

  async party(
    onBatch?: (engine: DataEngine, events: readonly EngineEvent[]) => void,
  ): Promise<Party> {
    const events: EngineEvent[] = []
    const waiting = new Set<() => void>()
    const engine: DataEngine = await this.under.create((batch) => {
      events.push(...batch)
      onBatch?.(engine, batch)
      for (const look of [...waiting]) look()
    })
    const party = new Party(engine, events, waiting)
    this.parties.push(party)
    return party
  }

  /** Two ends of a loopback connection, neither of them reading. */
  async pair(): Promise<[Socket, Socket]> {
    const server = createServer({ pauseOnConnect: true })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve))
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no address')
    const dialled = connect(address.port, '127.0.0.1')
    dialled.pause()
    await new Promise<void>((resolve, reject) => {
      dialled.once('connect', resolve).once('error', reject)
    })
    const other = await accepted
    server.close()
    this.#sockets.push(dialled, other)
    return [dialled, other]
  }

  /** `bytes`: the content, or the size of a file that is one hole. */
  async origin(party: Party, bytes: Buffer | number, unackedMs?: number): Promise<Origin> {
    const path = join(this.root, this.name())
    const size = typeof bytes === 'number' ? bytes : bytes.length
    writeFileSync(path, typeof bytes === 'number' ? '' : bytes)
    truncateSync(path, size)
    const { file } = await party.engine.storage.openSource(path)
    const transfer = party.engine.openTransfer(unackedMs === undefined ? {} : { unackedMs })
    party.engine.addStream(transfer, {
      stream: streamId,
      file,
      size,
      blockBytes,
      complete: true,
      sparse: typeof bytes === 'number',
    })
    return { transfer, file, path }
  }

  async receiver(
    party: Party,
    size: number,
    root = this.root,
    stream: Pick<StreamSpec, 'hashes' | 'sparse'> = {},
  ): Promise<Receiver> {
    const { engine } = party
    const data = join(root, this.name())
    mkdirSync(data)
    const dir = await engine.storage.openDataDir(data)
    const file = await engine.storage.createPartial(dir, 'main', size)
    const scratch = await engine.storage.createPartial(dir, 'scratch', size)
    const transfer = engine.openTransfer()
    engine.addStream(transfer, {
      stream: streamId,
      file,
      scratch,
      size,
      blockBytes,
      complete: false,
      ...stream,
    })
    const partials = join(data, '.fastreplica', 'partials')
    return {
      transfer,
      size,
      dir,
      data,
      file,
      scratch,
      content: () => readFileSync(join(partials, 'main')),
      scratchContent: () => readFileSync(join(partials, 'scratch')),
    }
  }

  /** A feed between two engines. */
  async feed(
    from: Party,
    fromTransfer: TransferHandle,
    to: Party,
    toTransfer: TransferHandle,
    relay = false,
  ): Promise<{ out: FeedHandle; in: FeedHandle }> {
    const [a, b] = await this.pair()
    const incoming = to.engine.adopt(b, { transfer: toTransfer, direction: 'in', seed })
    const out = from.engine.adopt(a, { transfer: fromTransfer, direction: 'out', seed })
    if (relay) this.#relay(from, fromTransfer, out)
    return { in: incoming, out }
  }

  /** What comes with route 1 goes to this feed as well, and stays at its receiver. */
  #relay(from: Party, transfer: TransferHandle, feed: FeedHandle): void {
    const key = `${this.parties.indexOf(from)}/${transfer}`
    const targets = [...(this.#relays.get(key) ?? []), { feed, next: 0 }]
    this.#relays.set(key, targets)
    from.engine.setRoute(transfer, 1, targets)
  }

  /** An incoming feed whose sender is the test. */
  async rawSender(
    to: Party,
    transfer: TransferHandle,
    isAsked = false,
  ): Promise<{ socket: Socket; feed: FeedHandle }> {
    const [socket, other] = await this.pair()
    socket.on('error', () => {})
    socket.resume()
    return { socket, feed: to.engine.adopt(other, { transfer, direction: 'in', seed, isAsked }) }
  }

  /** An outgoing feed whose receiver is the test; it does not read until told to. */
  async rawReceiver(
    from: Party,
    transfer: TransferHandle,
    relay = false,
  ): Promise<{ socket: Socket; feed: FeedHandle }> {
    const [socket, other] = await this.pair()
    socket.on('error', () => {})
    const feed = from.engine.adopt(other, { transfer, direction: 'out', seed })
    if (relay) this.#relay(from, transfer, feed)
    return { socket, feed }
  }
}

/** A world per test. */
export function useWorld(under: EngineUnderTest): World {
  const world = new World(under)
  beforeEach(() => world.open())
  afterEach(() => world.close())
  return world
}

/** Everything the socket gives until its end. */
export function drain(socket: Socket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.on('end', () => resolve(Buffer.concat(chunks)))
    socket.on('error', reject)
    socket.resume()
  })
}

/** Resolves when the socket is gone, however. */
export function gone(socket: Socket): Promise<void> {
  if (socket.closed) return Promise.resolve()
  return new Promise((resolve) => socket.once('close', () => resolve()))
}

export function fileBytes(size: number): Buffer {
  return randomBytes(size)
}

/** Descriptors this process has open; undefined where the system does not tell. */
export function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length
}
