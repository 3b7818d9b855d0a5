/** Nodes that copy by order, as a master has them do it. */
import { openDataDirs } from '../../src/agent/data-dirs.js'
import { openEngine } from '../../src/agent/engines.js'
import { NodeService } from '../../src/agent/node-service.js'
import type { NodeOptions, PushResult } from '../../src/api/index.js'
import { checkNode } from '../../src/api/options.js'
import type { RangePair } from '../../src/base/ranges.js'
import type { CopyOrder, Ended, HeldThere, Said } from '../../src/control/messages/mastering.js'
import { WorkerHashPool } from '../../src/engine/hashing/pool.js'
import { selfOf, signerOf } from '../../src/net/crypto.js'
import type { HeldChange, InstructedCopies } from '../../src/session/instructed-ports.js'
import { nodeKey } from '../../src/store/identity.js'
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
    const { engine, router } = await openEngine(kind, log)
    const { storage } = engine
    const pool = new WorkerHashPool()
    const { dirs, missing } = await openDataDirs(storage, [dataDir], false)
    const checked = checkNode({ listen: '127.0.0.1:0', minFreeBytes: 0, ...more, dataDir })
    const { key } = await nodeKey(dataDir)
    const self = selfOf(signerOf(key))
    const service = new NodeService({
      ...{ ...checked, engine, router, pool, dirs, missing, log },
      ...{ self, isReadOnly: false, isRelayOnly: false },
      ...{ authorize: undefined, peers: undefined, privileges: undefined },
      audience: { accept: undefined, offered: () => {}, published: () => {}, failed: () => {} },
      statusJson: () => '{}',
    })
    await service.listen()
    let closing: Promise<void> | undefined
    const close = async (): Promise<void> => {
      await target.copies.close()
      await service.close()
      await pool.close()
      for (const { dir } of dirs) storage.closeDataDir(dir)
      await engine.shutdown()
    }
    const target = new Target(service, self.nodeId, dataDir, () => {
      closing ??= close()
      return closing
    })
    return target
  }

  get address(): string {
    return this.service.address
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
export function saidOf(name: string, { digest, bytes }: PushResult): Said {
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
