/** A master and nodes on real sockets; the nodes copy by a word instead of bytes. */
import { setTimeout as sleep } from 'node:timers/promises'
import { MasterLink, type MasterLinkSpec } from '../../../../src/agent/master/master-link.js'
import {
  MasterService,
  type MasterServiceSpec,
} from '../../../../src/agent/master/master-service.js'
import { parseCriteria } from '../../../../src/base/criteria.js'
import type { LogEntry } from '../../../../src/base/log.js'
import { RangeSet } from '../../../../src/base/ranges.js'
import type { FileSet } from '../../../../src/control/copies/sets.js'
import type { CopyOrder, HeldThere, Said } from '../../../../src/control/messages/mastering.js'
import { parseAddress } from '../../../../src/net/address.js'
import { selfOf } from '../../../../src/net/crypto.js'
import { Resolver } from '../../../../src/net/resolver.js'
import type { HeldChange } from '../../../../src/session/instructed-ports.js'
import { keyA } from '../../net/handshake-support.js'
import { seededSigner } from '../../protocol/support.js'

const open: { close(): Promise<void> }[] = []

export async function cleanUp(): Promise<void> {
  await Promise.all(open.splice(0).map((one) => one.close()))
}

export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(2)
}

export function contentOf(name: string, size = 1_000, more: Partial<Said> = {}): Said {
  const contentId = Buffer.from(name.padEnd(16, '-')).toString('hex').slice(0, 32)
  const digest = `blake3:${contentId}${contentId}`
  return { name, contentId, digest, size, isGrowing: false, ...more }
}

export function setFor(name: string, files: readonly string[], where: string): FileSet {
  return {
    ...{ name, where: parseCriteria(where), priority: 5, never: null, from: null },
    files: files.map((file) => ({ name: file, digest: null })),
  }
}

export async function startMaster(
  more: Partial<MasterServiceSpec> = {},
  listen = '127.0.0.1:0',
): Promise<{ service: MasterService; lines: LogEntry[] }> {
  const lines: LogEntry[] = []
  const service = new MasterService({
    ...{ listen: parseAddress(listen) as never, keys: [keyA], self: selfOf(seededSigner(0xaa)) },
    ...{ log: (line) => lines.push(line), questions: {}, ...more },
  })
  await service.listen()
  open.push(service)
  return { service, lines }
}

/** A node whose bytes are words. */
export class WordNode {
  readonly link: MasterLink
  readonly lines: LogEntry[] = []
  readonly orders: CopyOrder[] = []
  readonly running = new Map<number, CopyOrder>()
  readonly held = new Map<string, HeldThere>()
  readonly #told = new Set<(change: HeldChange) => void>()
  /** Copies end as soon as they are ordered. */
  isQuick = true

  constructor(
    master: string,
    seed: number,
    attributes: Record<string, string>,
    more: Partial<MasterLinkSpec> = {},
  ) {
    const running = this.running
    const self = { ...selfOf(seededSigner(seed)), attributes }
    this.link = new MasterLink({
      addresses: [master],
      dialler: () => ({ keys: [keyA], self, connectMs: 1_000, resolver: new Resolver() }),
      enlisting: () => ({ address: `0.0.0.0:${7_000 + seed}`, up: null, down: null }),
      held: {
        all: async function* (this: WordNode) {
          yield* this.held.values()
        }.bind(this),
        onChange: (told) => {
          this.#told.add(told)
          return () => this.#told.delete(told)
        },
        freeBytes: async () => 1e12,
      },
      copies: {
        get running() {
          return running.values()
        },
        start: (order) => this.#start(order),
        takeCarried: () => [],
        setRate: () => {},
        stop: (copy) => running.delete(copy),
        close: async () => {},
      },
      ...{ list: null, log: (line) => this.lines.push(line), ...more },
    })
    open.push(this.link)
  }

  start(): this {
    this.link.start()
    return this
  }

  holds(held: HeldThere): void {
    this.held.set(held.name, held)
    for (const told of this.#told) told({ held })
  }

  end(copy: number): void {
    const order = this.running.get(copy) as CopyOrder
    this.running.delete(copy)
    const { source: _, bytesPerSecond: _rate, range, copy: _copy, ...said } = order
    const before = this.held.get(order.name)?.ranges
    const ranges = RangeSet.of([...(before ?? []), range])
    this.holds({ ...said, ranges: ranges.bytes === order.size ? null : ranges.toArray() })
    this.link.ended(copy, { bytes: range[1], cause: null, blames: [] })
  }

  #start(order: CopyOrder): void {
    this.orders.push(order)
    this.running.set(order.copy, order)
    if (this.isQuick) queueMicrotask(() => this.end(order.copy))
  }
}
