/** Nodes that copy by order, as a master has them do it. */
import type { NodeService } from '../../src/agent/node-service.js'
import type { NodeOptions, PushResult } from '../../src/api/index.js'
import type { RangePair } from '../../src/base/ranges.js'
import type { CopyOrder, Ended, HeldThere, Said } from '../../src/control/messages/mastering.js'
import type { HeldChange, InstructedCopies } from '../../src/session/instructed-ports.js'
import { openService } from './instructed-node.mjs'
import type { EngineKind, World, WorldNode } from './push-support.js'

/** A node that takes orders in this process, without the face of one. */
export class Target {
  readonly copies: InstructedCopies
  readonly ended = new Map<number, Ended>()
  readonly #waiting = new Map<number, (ended: Ended) => void>()

  readonly service: NodeService
  readonly nodeId: string
  readonly dataDir: string
  readonly close: () => Promise<void>
  readonly changes: HeldChange[] = []

  private constructor(
    service: NodeService,
    nodeId: string,
    dataDir: string,
    close: () => Promise<void>,
  ) {
    this.service = service
    this.nodeId = nodeId
    service.instructed.held.onChange((change) => this.changes.push(change))
    this.dataDir = dataDir
    this.close = close
    this.copies = service.instructed.copies({
      ended: (copy, ended) => {
        this.ended.set(copy, ended)
        this.#waiting.get(copy)?.(ended)
      },
    })
  }

  static async start(
    world: World,
    { dataDir = world.dataDir(), ...more }: Partial<NodeOptions> & { dataDir?: string } = {},
  ): Promise<Target> {
    const target = await Target.open(world.engine, dataDir, world.logger, more)
    world.defer(() => target.close())
    return target
  }

  static async open(
    kind: EngineKind,
    dataDir: string,
    log: World['logger'],
    more: Partial<NodeOptions>,
  ): Promise<Target> {
    const { service, nodeId, close } = await openService(kind, dataDir, { ...more, logger: log })
    let closing: Promise<void> | undefined
    const target = new Target(service, nodeId, dataDir, () => {
      closing ??= target.copies.close().then(close)
      return closing
    })
    return target
  }

  get address(): string {
    return this.service.address
  }

  /** Why its disk rests; null: it does not. */
  get rest() {
    return this.service.disks.first.store.rest
  }

  /** All that it tells of now. */
  async held(): Promise<HeldThere[]> {
    const held: HeldThere[] = []
    for await (const one of this.service.instructed.held.all()) held.push(one)
    return held
  }

  /** Resolves to how it ended. */
  copy(order: CopyOrder): Promise<Ended> {
    return new Promise((resolve) => {
      this.#waiting.set(order.copy, resolve)
      this.copies.start(order)
    })
  }
}

/** What a master would say of a file that was pushed under this name. */
export function saidOf(name: string, result: Pick<PushResult, 'digest' | 'bytes'>): Said {
  const { digest, bytes } = result
  return { name, contentId: 'a'.repeat(32), digest, size: bytes, isGrowing: false }
}

let copies = 0

export function orderOf(
  said: Said,
  range: RangePair,
  { address, nodeId }: Pick<WorldNode, 'address' | 'nodeId'>,
  bytesPerSecond = Number.POSITIVE_INFINITY,
): CopyOrder {
  const source = { name: nodeId, nodeId, address }
  return { ...said, copy: copies++, range, source, bytesPerSecond }
}
