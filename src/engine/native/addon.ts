/**
 * Finds and loads the addon, once per environment, and refuses a build that does not belong to
 * this source: its error numbers and event size must be the ones TypeScript knows.
 */
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { BlockAlgorithm } from '../../base/digests.js'
import { errorTable, FrError, type FrErrorCode, isFrErrorCode } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { packageRoot } from '../package-root.js'
import { systemFailure } from '../system-error.js'

/** Numbers of one event record (native/core/base/events.h). */
export const eventNumbers = 12

type Operation = number

export interface NativeEngine {
  /** `dir` 0: of none. */
  openTransfer(userTimeoutMs: number, dir: number): number
  addStream(
    transfer: number,
    stream: number,
    file: number,
    scratch: number,
    size: number,
    blockBytes: number,
    complete: boolean,
    sparse: boolean,
    growing: boolean,
    algorithm?: number,
  ): void
  adopt(
    fd: number,
    transfer: number,
    out: boolean,
    seed: bigint,
    congestion: string,
    asked: boolean,
    beside: number,
    seal: Uint8Array | undefined,
  ): number
  /** `targets`: three numbers each (feed, next, 1 where it goes first). */
  setRoute(transfer: number, route: number, targets: Float64Array): void
  hold(transfer: number, stream: number, offset: number, length: number): void
  skip(feed: number, stream: number, offset: number, length: number): void
  ask(feed: number, stream: number, offset: number, length: number, scratch: boolean): void
  grow(transfer: number, stream: number, size: number, isFinal: boolean): void
  cut(transfer: number, stream: number, offset: number, length: number): void
  forget(transfer: number, stream: number, before: number): void
  assign(transfer: number, stream: number, offset: number, length: number, route: number): void
  send(
    feed: number,
    stream: number,
    offset: number,
    length: number,
    route: number,
    scratch: boolean,
  ): void
  sendDigests(
    feed: number,
    stream: number,
    offset: number,
    length: number,
    route: number,
    payload: Uint8Array,
  ): void
  relayDigests(
    transfer: number,
    stream: number,
    offset: number,
    length: number,
    route: number,
    payload: Uint8Array,
  ): void
  bridge(a: number, b: number): void
  serve(
    operation: Operation,
    fd: number,
    file: number,
    offset: number,
    length: number,
    stalledMs: number,
  ): void
  stopServing(operation: Operation): void
  finish(feed: number): void
  close(feed: number): void
  closeTransfer(transfer: number): void
  /** Bytes a second; 0: no limit. */
  limit(up: number, down: number): void
  limitTransfer(transfer: number, up: number, down: number, weight: number): void
  limitFeeds(feeds: Float64Array, bytesPerSecond: number): void
  stats(transfer: number): Float64Array
  counters(): Float64Array
  shutdown(): void
  openSource(operation: Operation, path: string): void
  checkSource(operation: Operation, file: number): void
  openDataDir(operation: Operation, path: string, isReadOnly: boolean): void
  checkName(operation: Operation, dir: number, name: Uint8Array, noClobber: boolean): void
  createPartial(operation: Operation, dir: number, id: string, size: number): void
  openPartial(operation: Operation, dir: number, id: string, names: number): void
  openHeld(operation: Operation, dir: number, name: Uint8Array): void
  remove(operation: Operation, dir: number, name: Uint8Array): void
  lookAt(operation: Operation, dir: number, names: Uint8Array): void
  listEntries(operation: Operation, dir: number, name: Uint8Array): void
  placeEntries(operation: Operation, dir: number, steps: Uint8Array): void
  identityOf(operation: Operation, file: number): void
  read(operation: Operation, file: number, offset: number, length: number): void
  copyIn(
    operation: Operation,
    from: number,
    to: number,
    offset: number,
    length: number,
    at: number,
  ): void
  publish(
    operation: Operation,
    dir: number,
    file: number,
    id: string,
    name: Uint8Array,
    mode: number,
    seconds: number,
    nanos: number,
    noClobber: boolean,
  ): void
  probe(
    operation: Operation,
    dir: number,
    file: number,
    id: string,
    name: Uint8Array,
    mode: number,
    seconds: number,
    nanos: number,
    noClobber: boolean,
  ): void
  flush(operation: Operation, file: number): void
  trim(operation: Operation, file: number): void
  /** `parts`: two numbers each (number, dir). */
  joinFile(
    operation: Operation,
    dir: number,
    file: number,
    unitBytes: number,
    reserveBytes: number,
    isWritten: boolean,
    map: Uint8Array,
    parts: Float64Array,
    paths: Uint8Array,
  ): void
  refreshDataDir(operation: Operation, dir: number): void
  listPartials(operation: Operation, dir: number): void
  discard(operation: Operation, dir: number, id: string): void
  expirePartials(operation: Operation, dir: number, olderThanSeconds: number): void
  freeBytes(operation: Operation, dir: number): void
  closeFile(file: number): void
  closeDataDir(dir: number): void
}

export interface Addon {
  readonly Engine: new (
    lanes: number,
    callback: (numbers: Float64Array, bytes: Uint8Array) => void,
  ) => NativeEngine
  readonly errors: Record<string, number>
  /** Not in an addon that was built before there were any. */
  readonly bounds?: Record<string, number>
  readonly eventNumbers: number
  hashBlocks(
    file: number,
    offset: number,
    length: number,
    blockBytes: number,
    algorithm: number,
    cachedOnly: boolean,
  ): Uint8Array | undefined
  indexChunks(file: number, offset: number, length: number): Uint8Array
  hashHoles(
    file: number,
    offset: number,
    length: number,
    blockBytes: number,
    algorithm: number,
  ): Uint8Array | undefined
  blake3File(values: Uint8Array): Uint8Array
  foldBlake3(values: Uint8Array, perValue: number): Uint8Array
  xxh64(bytes: Uint8Array, seed?: bigint): bigint
  encodeFrames(
    file: number,
    base: number,
    coding: number,
    width: number,
    offset: number,
    length: number,
    frameBytes: number,
  ): Uint8Array
  decodeFrames(
    coded: number,
    at: number,
    lengths: Uint8Array,
    to: number,
    base: number,
    coding: number,
    offset: number,
    fileBytes: number,
    frameBytes: number,
  ): void
  treeList(
    directory: Uint8Array,
    identity: Uint8Array,
    names: Uint8Array | undefined,
    xattrs: boolean,
    acls: boolean,
  ): Promise<Buffer>
  treeRead(
    asked: Uint8Array,
    algorithm: number,
    blockBytes: number,
    into: number | undefined,
  ): Promise<Buffer>
  tuneControl(fd: number): void
  /** 0, or the errno. */
  sendDatagram(address: string, text: string): number
}

let loaded: Addon | undefined

/** The addon of this package, or the one `FR_NATIVE` names. ERR_FR_ENGINE when there is none. */
export function loadAddon(): Addon {
  loaded ??= check(find())
  return loaded
}

function find(): Addon {
  const require = createRequire(import.meta.url)
  const given = process.env.FR_NATIVE
  try {
    if (given !== undefined && given !== '') return require(given) as Addon
    const load = require('node-gyp-build') as (root: string) => Addon
    return load(fileURLToPath(packageRoot))
  } catch (cause) {
    throw new FrError('ERR_FR_ENGINE', `the native engine does not load: ${String(cause)}`, {
      cause,
    })
  }
}

function check(addon: Addon): Addon {
  const ours = Object.entries(errorTable).flatMap(([code, row]) =>
    'native' in row ? [`${code}=${row.native}`] : [],
  )
  const theirs = Object.entries(addon.errors).map(([code, number]) => `${code}=${number}`)
  const { bounds } = addon
  const hasOurBounds =
    bounds !== undefined &&
    Object.entries(bounds).every(([name, bound]) => limits[name as keyof typeof limits] === bound)
  const hasOurErrors = ours.sort().join() === theirs.sort().join()
  if (!hasOurErrors || !hasOurBounds || addon.eventNumbers !== eventNumbers) {
    throw new FrError(
      'ERR_FR_ENGINE',
      'the native engine was built from other sources; build again',
    )
  }
  return addon
}

/** Those of native/core/hash/hash.h. */
export const algorithmNumber: Readonly<Record<BlockAlgorithm, number>> = {
  xxh64: 0,
  sha256: 1,
  blake3: 2,
  'blake3-file': 3,
  'blake3-page': 4,
}

/** An error the addon threw, as the class users see; a TypeError stays what it is. */
export function fromNative(error: unknown): unknown {
  const { code, errno } = error as { code?: unknown; errno?: unknown }
  if (typeof code !== 'string' || !isFrErrorCode(code)) return error
  return nativeError(code, typeof errno === 'number' ? errno : 0)
}

/** `what`: Status::what of native/core/base/status.h; `path`: the file it was done to. */
export function nativeError(
  code: FrErrorCode,
  errno: number,
  what?: string,
  path?: string,
): FrError {
  return systemFailure(code, { what, path, errno })
}
