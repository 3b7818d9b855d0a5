/** Content that can be pushed, checked and opened: a path, a URL, an open file, bytes, a stream. */
import { type FileHandle, stat } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { DataEngine, SourceFile } from '../ports.js'
import { type Chunks, descriptorPath, spooled } from '../store/spool.js'
import type { PushSource } from './types.js'

export type CheckedSource =
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'handle'; readonly handle: FileHandle }
  | { readonly kind: 'content'; readonly chunks: Chunks }
  /** They go into one directory at the nodes. */
  | { readonly kind: 'paths'; readonly paths: readonly string[] }

/** Mode of copies of content that has none. */
export const contentMode = 0o644

/** Throws TypeError for what cannot be pushed. */
export function checkSource(source: PushSource): CheckedSource {
  if (typeof source === 'string' || source instanceof URL)
    return { kind: 'path', path: checkPath(source) }
  if (isList(source)) {
    const paths = source.map(checkPath)
    const [path] = paths
    if (path === undefined) throw new TypeError('path must not be an empty list')
    return paths.length === 1 ? { kind: 'path', path } : { kind: 'paths', paths }
  }
  if (source instanceof Uint8Array) return { kind: 'content', chunks: [source] }
  if (isHandle(source)) {
    if (source.fd < 0) throw new TypeError('path is a FileHandle that is closed')
    return { kind: 'handle', handle: source }
  }
  // A finished stream would be taken for an empty file.
  if (source instanceof Readable && (source.readableEnded || source.destroyed))
    throw new TypeError('path is a stream that has ended')
  if (typeof source === 'object' && source !== null && Symbol.asyncIterator in source)
    return { kind: 'content', chunks: source }
  throw new TypeError('path must be a string, a URL, a Uint8Array, a FileHandle or a stream')
}

function checkPath(source: string | URL): string {
  if (typeof source === 'string') {
    if (source === '') throw new TypeError('path must be a non-empty string')
    if (source.includes('\0')) throw new TypeError('path must not contain NUL')
    return source
  }
  if (!(source instanceof URL)) throw new TypeError('path must be a list of strings and URLs')
  if (source.protocol !== 'file:')
    throw new TypeError(`only file: URLs can be pushed, not ${source.protocol}`)
  return fileURLToPath(source)
}

function isList(source: PushSource): source is readonly (string | URL)[] {
  return Array.isArray(source)
}

function isHandle(source: unknown): source is FileHandle {
  const { fd, stat } = (source ?? {}) as Partial<FileHandle>
  return typeof fd === 'number' && typeof stat === 'function'
}

/**
 * Takes over the stream: an error before the first read is kept until then and does not end the
 * process.
 */
export function claimSource(source: CheckedSource): void {
  if (source.kind === 'content' && source.chunks instanceof Readable)
    source.chunks.on('error', () => undefined)
}

/** Opens the source. Chunks that a stream gave before an error are lost. */
export function openSource(
  engine: DataEngine,
  source: CheckedSource,
  signal: AbortSignal,
): Promise<SourceFile> {
  const { storage } = engine
  switch (source.kind) {
    case 'path':
      return storage.openSource(source.path)
    case 'handle':
      return storage.openSource(descriptorPath(source.handle.fd))
    case 'content':
      return spooled(source.chunks, signal, async (path) => {
        return { ...(await storage.openSource(path)), mode: contentMode }
      })
    case 'paths':
      throw new TypeError('several paths are no file')
    default:
      return source satisfies never
  }
}

/** The paths of a tree: a directory, or several paths; undefined: it is one file. */
export async function treePaths(source: CheckedSource): Promise<readonly string[] | undefined> {
  if (source.kind === 'paths') return source.paths
  if (source.kind !== 'path') return undefined
  const found = await stat(source.path).catch(() => undefined)
  return found?.isDirectory() ? [source.path] : undefined
}

/** Path of the content; undefined while it is in no file. */
export function pathOf(source: CheckedSource): string | undefined {
  if (source.kind === 'path') return source.path
  return source.kind === 'handle' ? descriptorPath(source.handle.fd) : undefined
}
