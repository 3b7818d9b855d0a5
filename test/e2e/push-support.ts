/** Nodes, files and saboteurs for the push tests. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { freeAddress } from '../../bench/programs.mjs'
import { until } from '../../bench/running.mjs'
import { Workspace } from '../../bench/workspace.mjs'
import {
  type FrNode,
  get,
  type LogLine,
  type NodeOptions,
  push,
  startNode,
} from '../../src/api/index.js'
import type { Several } from './cli-world.js'
import { callerOf, type Door, holdingDoor, payloadFinder, tagFinder } from './door.js'
import type { EngineKind } from './engines.js'
import { proxy } from './proxy.js'

export type { EngineKind }
export { until }
export type WorldNode = FrNode & { readonly dataDir: string }

/** A world for each test of a file or a `describe`. */
export function useWorld(engine: EngineKind): World {
  const world = new World(engine)
  afterEach(() => world.dispose())
  return world
}

/** What this user's cache keeps is that of one test file alone. */
export function useCache(): Workspace {
  const cache = new Workspace(0, 'any', { name: 'fr-cache' })
  const before = process.env['XDG_CACHE_HOME']
  beforeAll(() => {
    process.env['XDG_CACHE_HOME'] = cache.directory
  })
  afterAll(() => {
    if (before === undefined) delete process.env['XDG_CACHE_HOME']
    else process.env['XDG_CACHE_HOME'] = before
    cache.close()
  })
  return cache
}

/** Everything a test opens; `dispose` closes it in reverse order. */
export class World {
  readonly log: LogLine[] = []
  readonly engine: EngineKind
  #workspace: Workspace | undefined
  readonly #closers: (() => unknown)[] = []
  #count = 0

  constructor(engine: EngineKind) {
    this.engine = engine
  }

  get #here(): Workspace {
    this.#workspace ??= new Workspace(0, 'disk', { name: 'fr-push' })
    return this.#workspace
  }

  get dir(): string {
    return this.#here.directory
  }

  defer(close: () => unknown): void {
    this.#closers.push(close)
  }

  async dispose(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close()
    this.#workspace?.close()
    this.#workspace = undefined
    this.log.length = 0
  }

  readonly logger = (line: LogLine): void => {
    this.log.push(line)
  }

  /** One node has all of it. */
  async pushed(path: string, to: string): Promise<void> {
    const { engine, logger } = this
    const result = await push(path, { to: [to], engine, logger }).result
    expect(result.nodes[0]).toMatchObject({ status: 'complete' })
  }

  /** The bytes of a file at a node, as a client gets them. */
  async fetched(name: string, from: string): Promise<Buffer> {
    const { engine, logger } = this
    const output = join(this.dir, 'fetched')
    await get(name, { from: [from], output, force: true, engine, logger }).result
    return readFileSync(output)
  }

  dataDir(): string {
    const dataDir = join(this.dir, `node${this.#count++}`)
    mkdirSync(dataDir)
    return dataDir
  }

  async node(options: Partial<NodeOptions> = {}): Promise<WorldNode> {
    const dataDir = this.dataDir()
    const all = {
      listen: await freeAddress(),
      ...(!options.relayOnly && { dataDir }),
      engine: this.engine,
      minFreeBytes: 0,
      logger: this.logger,
      ...options,
    }
    const node = await startNode(all)
    this.defer(() => node.close())
    return Object.assign(node, { dataDir })
  }

  async nodes<N extends number>(count: N): Promise<Several<WorldNode, N>> {
    const nodes = await Promise.all(Array.from({ length: count }, () => this.node()))
    return nodes as Several<WorldNode, N>
  }

  /**
   * A node in a process of its own, so that it can be killed; `dataDir`: directories beside the
   * one that it is given.
   */
  async childNode(
    env: NodeJS.ProcessEnv = {},
    prepare: (dataDir: string) => unknown = () => {},
    { dataDir: beside = [], ...more }: Partial<NodeOptions> = {},
  ) {
    const dataDir = this.dataDir()
    await prepare(dataDir)
    const program = join(import.meta.dirname, 'push-node.mjs')
    const common = { engine: this.engine, minFreeBytes: 0, beside, ...more }
    const options = JSON.stringify(common)
    const args = [program, options, dataDir]
    const running = this.#here.start(process.execPath, args, { env })
    const [address] = (await running.ready('node')) as [string]
    return Object.assign(running, { address, dataDir })
  }

  /** Bytes without repetition near a block, so that misplaced ones are noticed. */
  file(name: string, bytes: number): { path: string; content: Buffer } {
    const content = Buffer.allocUnsafe(bytes)
    let state = (bytes * 2_654_435_761 + 12_345) >>> 0
    for (let i = 0; i < bytes; i++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      content[i] = state >>> 24
    }
    const path = join(this.dir, name)
    writeFileSync(path, content)
    return { path, content }
  }

  /**
   * A door to `address` that flips a bit in passing parts while `isOn`: pieces of the file (`isOn`
   * gets their bytes), checks of record headers, or tags of TLS records.
   */
  async spoiler(
    address: string,
    what: 'payload' | 'check' | 'tag',
    isOn: (bytes: number) => boolean,
  ): Promise<string> {
    const passed = await proxy(address, (from, to) => {
      const parts = what === 'tag' ? tagFinder() : payloadFinder(what)
      from.on('data', (chunk: Buffer) => {
        for (const part of parts(chunk)) if (isOn(part.length)) part[0] = (part[0] as number) ^ 4
        if (!to.write(chunk)) from.pause()
      })
      to.on('drain', () => from.resume())
    })
    this.defer(passed.close)
    return passed.address
  }

  /** A door that stops a node in the middle of a push. */
  async holding(address: string | (() => string), holdAt: number): Promise<Door> {
    const door = await holdingDoor(address, holdAt)
    this.defer(() => door.close())
    return door
  }
}

/**
 * Waits until the node behind this door has verified so much. Digests may wait behind payload that
 * was on its way before them, as their worker has to start: then a little more passes, slowly, so
 * that they come before the push is through.
 */
export async function verifiedBehind(door: Door, node: FrNode, bytes: number): Promise<void> {
  const sipMs = 25
  await until(door.isHolding, 'the push is in the middle', 60_000)
  let sippedMs = 0
  await until(() => {
    if ((node.status().transfers[0]?.verifiedBytes ?? 0) >= bytes) return true
    if (performance.now() < sippedMs + sipMs) return false
    door.sip()
    sippedMs = performance.now()
    return false
  }, `${bytes} bytes are verified`)
}

export interface Gate {
  readonly address: string
  /** True once the first data connection of this sender is held back. */
  readonly isHolding: () => boolean
  /** Breaks the held connection; later ones pass. */
  cut(): void
}

/**
 * A door to `address` that passes everything except data connections of one mate: bytes of the
 * first beyond `bytes` are held back until `cut`, and none passes after that.
 */
export async function gate(
  world: World,
  address: string,
  mate: number,
  bytes: number,
): Promise<Gate> {
  let held: [Socket, Socket] | undefined
  let isHolding = false
  let isToBeCut = false
  const cutHeld = () => held?.forEach((socket) => void socket.resetAndDestroy())
  const passed = await proxy(address, (from, to) => {
    let start = Buffer.alloc(0)
    let isJudged = false
    let seen = 0
    from.on('data', (chunk: Buffer) => {
      if (!isJudged) {
        start = Buffer.concat([start, chunk])
        const sender = callerOf(start)
        isJudged = sender !== null
        if (sender?.channel === 'data' && sender.from === mate) {
          held ??= [from, to]
          if (isToBeCut && held[0] !== from) {
            from.resetAndDestroy()
            to.resetAndDestroy()
            return
          }
        }
      }
      seen += chunk.length
      if (held?.[0] === from && seen > bytes) {
        isHolding = true
        from.pause()
        if (isToBeCut) cutHeld()
      } else if (!to.write(chunk)) from.pause()
    })
    to.on('drain', () => {
      if (held?.[0] !== from || !isHolding) from.resume()
    })
  })
  world.defer(passed.close)
  return {
    address: passed.address,
    isHolding: () => isHolding,
    cut: () => {
      isToBeCut = true
      if (isHolding) cutHeld()
    },
  }
}

/** Each of the nodes has the file with this content. */
export function expectCopies(
  content: Buffer,
  name: string,
  nodes: readonly { readonly dataDir: string }[],
): void {
  for (const { dataDir } of nodes)
    expect(readFileSync(join(dataDir, name)).equals(content)).toBe(true)
}

/** Names of the partials that a node still keeps. */
export function partials(dataDir: string): string[] {
  return readdirSync(join(dataDir, '.fastreplica', 'partials'))
}

/** Waits until the node has removed its files, a moment after the origin knows the outcome. */
export async function keepsNothing(dataDir: string): Promise<void> {
  await until(() => partials(dataDir).length === 0, `no partial in ${dataDir}`)
}
