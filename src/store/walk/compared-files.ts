/**
 * Files of a tree of which is known what they hold: one that is read, and does not have the digest
 * that it should have, is as good as unreadable, and none of its bytes stay where they were read
 * to.
 */
import { write } from 'node:fs'
import { promisify } from 'node:util'
import type { DigestAlgorithm } from '../../base/digests.js'
import type { FileRead, FileToRead, TreeFiles } from '../../ports/tree-files.js'

export interface KnownFile {
  /** Raw; empty, or null: no file is known to be right. */
  readonly digest: Uint8Array | null
  readonly algorithm: DigestAlgorithm | null
}

/** What is known of paths that ascend; undefined: nothing. */
export type FindKnown = (paths: readonly Buffer[]) => Promise<readonly (KnownFile | undefined)[]>

const writeSome = promisify(write)
/** Of the size in a TreeIdentity. */
const sizeAt = 16

export class ComparedFiles implements TreeFiles {
  readonly hasXattrs = false
  readonly #files: TreeFiles
  readonly #find: FindKnown
  readonly #wrong: FileRead

  /** `wrong`: what is said of a file that has another digest. */
  constructor(files: TreeFiles, find: FindKnown, wrong: FileRead) {
    this.#files = files
    this.#find = find
    this.#wrong = wrong
  }

  list(...asked: Parameters<TreeFiles['list']>): ReturnType<TreeFiles['list']> {
    return this.#files.list(...asked)
  }

  look(...asked: Parameters<TreeFiles['look']>): ReturnType<TreeFiles['look']> {
    return this.#files.look(...asked)
  }

  async read(
    asked: readonly FileToRead[],
    algorithm: DigestAlgorithm,
    into?: number,
  ): Promise<FileRead[]> {
    const known = await this.#find(asked.map(({ path }) => path))
    const before = await Promise.all(
      asked.map((file, at) => this.#isRightBefore(file, known[at], algorithm)),
    )
    const reads = await this.#files.read(asked, algorithm, into)
    return Promise.all(
      reads.map(async (read, at) => {
        const isRight = before[at] ?? isOf(read, known[at])
        if (isRight || !(read instanceof Uint8Array)) return read
        if (into !== undefined) await erase(into, asked[at] as FileToRead)
        return this.#wrong
      }),
    )
  }

  /** Of a file whose digest is of another kind; undefined: it is not. */
  async #isRightBefore(
    file: FileToRead,
    known: KnownFile | undefined,
    algorithm: DigestAlgorithm,
  ): Promise<boolean | undefined> {
    const own = known?.algorithm ?? null
    if (own === null || own === algorithm) return undefined
    const [read] = await this.#files.read([file], own)
    return isOf(read, known)
  }
}

function isOf(read: FileRead | undefined, known: KnownFile | undefined): boolean {
  const digest = known?.digest ?? null
  return read instanceof Uint8Array && digest !== null && Buffer.from(digest).equals(read)
}

async function erase(into: number, { identity, at }: FileToRead): Promise<void> {
  const zeros = Buffer.alloc(Number(identity.readBigUInt64LE(sizeAt)))
  for (let done = 0; done < zeros.length; ) {
    const { bytesWritten } = await writeSome(into, zeros, done, zeros.length - done, at + done)
    done += bytesWritten
  }
}
