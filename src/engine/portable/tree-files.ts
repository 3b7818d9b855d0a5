/**
 * Trees of whoever sends them, by node:fs alone: many calls in place of one. Node knows no extended
 * attributes, and opens a directory by its path a second time to look at what is in it.
 */
import { constants, write } from 'node:fs'
import { type FileHandle, lstat, open, readdir, readlink } from 'node:fs/promises'
import { promisify } from 'node:util'
import xxhash from 'xxhash-wasm'
import { concat, u64 } from '../../base/bytes.js'
import type { DigestAlgorithm } from '../../base/digests.js'
import { FrError } from '../../base/errors.js'
import { blockBytesFor, limits } from '../../base/limits.js'
import type {
  FileRead,
  FileToRead,
  Looked,
  TreeFiles,
  TreeIdentity,
} from '../../ports/tree-files.js'
import { asFrError } from '../checks.js'
import { type BlockHashers, createBlockHashers } from '../hashing/block-hash.js'
import { asSourceError, identityOf, kindOf, outcomeOf, timesOf } from '../tree-look.js'

const looksAtOnce = 512
const writeSome = promisify(write)
const slash = Buffer.from('/')
const deviceAndInode = 16
const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants
/** What is there is another entry. */
const changes: readonly unknown[] = ['ENOENT', 'ELOOP', 'ENOTDIR', 'ENXIO']

export class PortableTreeFiles implements TreeFiles {
  readonly hasXattrs = false
  #hashers: Promise<BlockHashers> | undefined

  list(directory: Buffer, identity: TreeIdentity): AsyncIterable<Looked[]> {
    const first = namesIn(directory, identity)
    // Whoever asks for the first list is told of the failure.
    first.catch(() => undefined)
    return lists(first, directory)
  }

  async look(path: Buffer): Promise<Looked> {
    const looked = await lookAt(path, path.subarray(path.lastIndexOf(slash) + 1))
    if (looked.errno === undefined) return looked
    throw asSourceError({ errno: looked.errno, syscall: 'lstat' }, path)
  }

  async read(
    files: readonly FileToRead[],
    algorithm: DigestAlgorithm,
    into?: number,
  ): Promise<FileRead[]> {
    this.#hashers ??= xxhash().then(createBlockHashers)
    const hashers = await this.#hashers
    const reads: FileRead[] = []
    for (const file of files) {
      const bytes = await readWhole(file)
      if (!(bytes instanceof Buffer)) reads.push(bytes)
      else {
        reads.push(fileDigest(hashers, algorithm, bytes))
        if (into !== undefined) await writeTo(into, bytes, file.at)
      }
    }
    return reads
  }
}

/** Sorted. */
async function namesIn(directory: Buffer, identity: TreeIdentity): Promise<Buffer[]> {
  try {
    const found = identityOf(await lstat(directory, { bigint: true }))
    if (found.compare(identity, 0, deviceAndInode, 0, deviceAndInode) !== 0)
      throw new FrError('ERR_FR_SOURCE_CHANGED')
    const names = await readdir(directory, { encoding: 'buffer' })
    return names.sort((a, b) => a.compare(b))
  } catch (error) {
    throw error instanceof FrError ? error : asSourceError(error, directory)
  }
}

async function* lists(first: Promise<Buffer[]>, directory: Buffer): AsyncGenerator<Looked[]> {
  const names = await first
  for (let at = 0; at < names.length; at += looksAtOnce) {
    const some = names.slice(at, at + looksAtOnce)
    yield await Promise.all(
      some.map((name) => lookAt(Buffer.concat([directory, slash, name]), name)),
    )
  }
}

async function lookAt(path: Buffer, name: Buffer): Promise<Looked> {
  try {
    const stats = await lstat(path, { bigint: true })
    const identity = identityOf(stats)
    const kind = kindOf(stats)
    const target = kind === 'symlink' ? await readlink(path, { encoding: 'buffer' }) : undefined
    const times = timesOf(identity)
    return {
      name,
      kind,
      mode: Number(stats.mode),
      links: Number(stats.nlink),
      uid: Number(stats.uid),
      gid: Number(stats.gid),
      ...times,
      dataBytes: Math.min(times.size, Number(stats.blocks) * 512),
      identity,
      ...(target && { target }),
    }
  } catch (error) {
    const errno = Math.abs((error as NodeJS.ErrnoException).errno ?? 0)
    const none = Buffer.alloc(48)
    const nothing = { mode: 0, links: 0, uid: 0, gid: 0, dataBytes: 0, ...timesOf(none) }
    return { name, kind: 'other', ...nothing, identity: none, errno }
  }
}

async function readWhole({ path, identity }: FileToRead): Promise<Buffer | FileRead> {
  let file: FileHandle | undefined
  try {
    file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    if (!(await isAsLookedAt(file, identity))) return outcomeOf(true, 0, path)
    const bytes = Buffer.allocUnsafe(timesOf(identity).size)
    for (let done = 0; done < bytes.length; ) {
      const { bytesRead } = await file.read(bytes, done, bytes.length - done, done)
      if (bytesRead === 0) return outcomeOf(true, 0, path)
      done += bytesRead
    }
    return (await isAsLookedAt(file, identity)) ? bytes : outcomeOf(true, 0, path)
  } catch (error) {
    const { code, errno = 0 } = error as NodeJS.ErrnoException
    return outcomeOf(changes.includes(code), Math.abs(errno), path)
  } finally {
    await file?.close()
  }
}

async function isAsLookedAt(file: FileHandle, identity: TreeIdentity): Promise<boolean> {
  const stats = await file.stat({ bigint: true })
  return stats.isFile() && identityOf(stats).equals(identity)
}

/** Raw, as session/file-digest.ts has it as text. */
function fileDigest(
  hashers: BlockHashers,
  algorithm: DigestAlgorithm,
  bytes: Uint8Array,
): Uint8Array {
  const hash = (kind: keyof BlockHashers, part: Uint8Array): Uint8Array => {
    const hasher = hashers[kind]
    hasher.start(0)
    hasher.update(part)
    return Uint8Array.from(hasher.finish())
  }
  if (algorithm === 'blake3') return hash('blake3-file', bytes)
  const blockBytes = blockBytesFor(limits.bundledFileBytes)
  const parts: Uint8Array[] = [u64(bytes.length), u64(blockBytes)]
  for (let at = 0; at < bytes.length; at += blockBytes)
    parts.push(hash(algorithm, bytes.subarray(at, at + blockBytes)))
  return hash(algorithm, concat(...parts))
}

async function writeTo(fd: number, bytes: Buffer, at: number): Promise<void> {
  try {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await writeSome(fd, bytes, done, bytes.length - done, at + done)
      done += bytesWritten
    }
  } catch (error) {
    throw asFrError(error)
  }
}
