/**
 * The files of a fetch: where bytes land, and the output that they become.
 *
 * The idea: beside the output is a hidden directory, which the engine takes for a data directory:
 * it locks it, so that two fetches of one output exclude each other, and it makes, opens and
 * publishes the partial there as a node does. A journal beside the partial says which blocks were
 * verified, so a fetch that was broken off goes on. At the end the file takes the output's name,
 * durable, and the directory goes. An output that is read in order has its directory among the
 * temporary files, and nothing of it is kept.
 */
import { createHash } from 'node:crypto'
import {
  chmod,
  link,
  lstat,
  mkdir,
  mkdtemp,
  open,
  rename,
  rm,
  unlink,
  utimes,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { FrError, type FrErrorCode } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import { settableTime } from '../../base/file-times.js'
import { formatBytes, limits, MIB } from '../../base/limits.js'
import { hiddenDir } from '../../base/names.js'
import type { BlockBytes } from '../../base/sections.js'
import type { FetchedContent, FetchRange, FoundRun } from '../../control/fetching/events.js'
import type { HeldRun } from '../../control/holdings/have.js'
import type { DataDirHandle, FileHandle, Storage } from '../../ports.js'
import type { DigestRun } from '../../store/catalogue/record.js'
import { syncParent } from '../../store/files/durable.js'
import { Journal, type Look, readJournal } from '../../store/journal/journal.js'

/** Where a fetch puts what it brings. */
export interface FetchTarget {
  /** Of the file that bytes land in, once it is open. */
  readonly partialPath: string
  /** Opens the files of this content. */
  open(content: FetchedContent): Promise<Landed>
  /**
   * These blocks are in the file and right. Rejects where that cannot be written down. `isFound`:
   * an earlier fetch left them.
   */
  verified(run: HeldRun, isFound?: boolean): Promise<void>
  /** Copies from scratch into the file. */
  copyIn(offset: number, length: number): Promise<void>
  /** A record of digests that the author of the content has signed. */
  signed?(run: DigestRun): void
  /** All that was wanted is there; `isStillRight` reads it once more. */
  finish(isStillRight: () => Promise<boolean>): Promise<void>
  close(): Promise<void>
}

/** What lands. */
export interface LandingContent
  extends Pick<FetchedContent, 'entry' | 'digest' | 'fileDigest' | 'size' | 'length'> {
  /** By sections: it is still written, and `size` is 0 until that is over. */
  readonly blockBytes: BlockBytes
}

export interface LandingSpec {
  readonly storage: Storage
  /** Path of the output; null: it is read in order, and has none. */
  readonly output: string | null
  /** Replace a file that is there. */
  readonly force: boolean
  readonly range: FetchRange | null
}

/** Files that are open. */
export interface Landed {
  readonly file: FileHandle
  readonly scratch: FileHandle
  readonly found: readonly FoundRun[]
  /** Of all blocks of the content, where they are known to be right. */
  readonly digests?: Uint8Array | undefined
}

/** Name of the finished file in the hidden directory. */
const outputName = 'output'
const copyBytes = MIB

export class Landing implements FetchTarget {
  readonly #spec: LandingSpec
  readonly #workDir: string
  #dir: DataDirHandle | undefined
  #landed: Landed | undefined
  #journal: Journal | undefined
  #content: LandingContent | undefined
  #id = ''
  #isWorthKeeping = false
  readonly #waiting: HeldRun[] = []
  #isWriting = false

  private constructor(spec: LandingSpec, workDir: string) {
    this.#spec = spec
    this.#workDir = workDir
  }

  /**
   * Looks at the output before anything is asked of anybody. Rejects with ERR_FR_EXISTS,
   * ERR_FR_IS_DIRECTORY, ERR_FR_BUSY when another fetch writes it, ERR_FR_NO_SPACE, ERR_FR_IO, and
   * leaves nothing then.
   */
  static async prepare(spec: LandingSpec): Promise<Landing> {
    const { output } = spec
    if (output !== null) await requireFree(output, spec.force)
    const { workDir, dir } = await openWorkDir(spec.storage, output, 'fr-get')
    const landing = new Landing(spec, workDir)
    landing.#dir = dir
    return landing
  }

  /** Where the bytes of the file are, at their offsets. */
  get partialPath(): string {
    return join(this.#workDir, hiddenDir, 'partials', this.#id)
  }

  /** Opens what an earlier fetch of this content left, or begins anew. */
  async open(content: LandingContent): Promise<Landed> {
    this.#content = content
    this.#id = idOf(content)
    const { storage } = this.#spec
    const dir = this.#dir as DataDirHandle
    for (const { id } of await storage.listPartials(dir))
      if (id !== this.#id) await storage.discard(dir, id)
    const journals = join(this.#workDir, hiddenDir, 'journals')
    await mkdir(journals, { mode: 0o700, recursive: true })
    const kept = await this.#openKept(content)
    const found = kept === undefined ? [] : await this.#foundIn(content, kept)
    const file = kept ?? (await this.#create(this.#id, content.size))
    await this.#requireRoom(content, found)
    const scratch = await this.#create(`${this.#id}.scratch`, content.size)
    const look: Look = () => storage.identityOf(file)
    const path = this.#journalPath
    if (found.length > 0) this.#journal = await Journal.resume(path, look)
    else this.#journal = await Journal.create(path, this.#header(content), look)
    this.#landed = { file, scratch, found }
    return this.#landed
  }

  /**
   * Writes down that these blocks are in the file and right, together with what else has come until
   * the last write is done. Rejects for the one that began the write.
   */
  async verified(run: HeldRun): Promise<void> {
    if (this.#spec.output === null) return
    this.#isWorthKeeping = true
    this.#waiting.push(run)
    if (this.#isWriting) return
    this.#isWriting = true
    try {
      while (this.#waiting.length > 0)
        await this.#journal?.append({ runs: this.#waiting.splice(0) })
    } finally {
      this.#isWriting = false
    }
  }

  copyIn(offset: number, length: number): Promise<void> {
    const { file, scratch } = this.#landed as Landed
    return this.#spec.storage.copyIn(scratch, file, { offset, length })
  }

  /** Makes all of it durable; whether it may have been changed since it was verified. */
  async flush(): Promise<boolean> {
    const { file } = this.#landed as Landed
    const { size, entry } = this.#content as LandingContent
    const flushed = await this.#spec.storage.flush(file)
    const isShort = this.#spec.range === null && flushed.allocatedBytes < entry.dataBytes
    return flushed.size !== size || flushed.wasTouched || isShort
  }

  async finish(isStillRight: () => Promise<boolean>): Promise<void> {
    if ((await this.flush()) && !(await isStillRight())) {
      const text = 'somebody else changed the file after its bytes were verified'
      throw new FrError('ERR_FR_DIGEST', text)
    }
    await this.publish()
  }

  /** What was still written has this size in the end; it gets the time of now. */
  endsAs(size: number): void {
    const content = this.#content as LandingContent
    const ms = Date.now()
    const time = { mtimeSeconds: Math.floor(ms / 1000), mtimeNanos: (ms % 1000) * 1_000_000 }
    const entry = { ...content.entry, ...time, size, dataBytes: size }
    this.#content = { ...content, entry, size, length: size }
  }

  /** The output is durable under its name when it resolves. */
  async publish(): Promise<void> {
    const { output, force, range } = this.#spec
    if (output === null) return
    const made = join(this.#workDir, outputName)
    if (range === null) await this.#publishWhole()
    else await this.#copyRange(range, made)
    try {
      if (force) await rename(made, output)
      else await linkAs(made, output)
      await syncParent(output)
    } catch (error) {
      throw systemError(error, output)
    }
    this.#isWorthKeeping = false
  }

  /** Closes everything; what is not worth going on with is removed. */
  async close(): Promise<void> {
    const { storage, output } = this.#spec
    const landed = this.#landed
    const isKept = this.#isWorthKeeping && output !== null
    if (landed !== undefined && isKept) {
      await storage.trim(landed.file).catch(() => {})
      // From now on nobody writes to it.
      await this.#journal?.leave().catch(() => {})
    }
    await this.#journal?.close().catch(() => {})
    if (landed !== undefined) {
      storage.closeFile(landed.file)
      storage.closeFile(landed.scratch)
    }
    if (this.#dir !== undefined) {
      const scratch = `${this.#id}.scratch`
      if (isKept) await storage.discard(this.#dir, scratch).catch(() => {})
      storage.closeDataDir(this.#dir)
    }
    if (!isKept) await rm(this.#workDir, { recursive: true, force: true }).catch(() => {})
  }

  // --- what is there ---

  get #journalPath(): string {
    return join(this.#workDir, hiddenDir, 'journals', this.#id)
  }

  #header({ entry, digest: algorithm, blockBytes, ...content }: LandingContent) {
    const size = spanOf({ blockBytes, ...content })
    const name = new Uint8Array(Buffer.from(outputName))
    const { contentId, author } = entry
    return { contentId, author, algorithm, blockBytes, size, name, transfer: this.#id }
  }

  async #openKept({ size, blockBytes }: LandingContent): Promise<FileHandle | undefined> {
    const { storage } = this.#spec
    const dir = this.#dir as DataDirHandle
    try {
      const file = await storage.openPartial(dir, this.#id)
      if (blockBytes === 'sections' || (await storage.identityOf(file)).size === size) return file
      storage.closeFile(file)
    } catch (error) {
      if (!(error instanceof FrError) || error.code !== 'ERR_FR_NOT_HELD') throw error
    }
    return undefined
  }

  async #create(id: string, size: number): Promise<FileHandle> {
    const dir = this.#dir as DataDirHandle
    await this.#spec.storage.discard(dir, id)
    return this.#spec.storage.createPartial(dir, id, size)
  }

  /** Blocks of this content, by the journal. */
  async #foundIn(
    { digest, blockBytes, ...content }: LandingContent,
    file: FileHandle,
  ): Promise<FoundRun[]> {
    const identity = await this.#spec.storage.identityOf(file)
    const journal = await readJournal(this.#journalPath, identity)
    const { header } = journal ?? {}
    const size = spanOf({ blockBytes, ...content })
    const isOfContent =
      header?.algorithm === digest && header.blockBytes === blockBytes && header.size === size
    if (journal === null || !isOfContent) return []
    return journal.runs.map(({ offset, length, digests, isSure }) => ({
      offset,
      length,
      digests: isSure ? digests : null,
    }))
  }

  async #requireRoom(content: LandingContent, found: readonly FoundRun[]): Promise<void> {
    const free = await this.#spec.storage.freeBytes(this.#dir as DataDirHandle)
    const foundBytes = found.reduce((sum, { length }) => sum + length, 0)
    const needed = Math.min(content.length, content.entry.dataBytes) - foundBytes
    if (needed <= free) return
    const where = this.#spec.output === null ? `${tmpdir()} (TMPDIR)` : dirname(this.#spec.output)
    const text = `${formatBytes(needed)} needed in ${where}; ${formatBytes(free)} free`
    throw new FrError('ERR_FR_NO_SPACE', text)
  }

  // --- the output ---

  async #publishWhole(): Promise<void> {
    const { entry } = this.#content as LandingContent
    const { file } = this.#landed as Landed
    await this.#spec.storage.publish(this.#dir as DataDirHandle, {
      file,
      id: this.#id,
      name: new Uint8Array(Buffer.from(outputName)),
      mode: entry.mode,
      mtime: { seconds: entry.mtimeSeconds, nanos: entry.mtimeNanos },
      noClobber: false,
    })
  }

  /** Just these bytes, with the attributes of the file. */
  async #copyRange({ first, last }: FetchRange, path: string): Promise<void> {
    const { entry } = this.#content as LandingContent
    try {
      const from = await open(this.partialPath, 'r')
      try {
        await rm(path, { force: true })
        const to = await open(path, 'wx', 0o600)
        try {
          const buffer = Buffer.allocUnsafe(copyBytes)
          for (let at = first; at <= last; ) {
            const most = Math.min(copyBytes, last + 1 - at)
            const { bytesRead } = await from.read(buffer, 0, most, at)
            if (bytesRead === 0) throw new Error('the file is shorter than what was verified')
            await to.writeFile(buffer.subarray(0, bytesRead))
            at += bytesRead
          }
          await to.sync()
        } finally {
          await to.close()
        }
      } finally {
        await from.close()
      }
      const { mtimeSeconds: seconds, mtimeNanos: nanos } = entry
      const time = settableTime({ seconds, nanos })
      await utimes(path, time, time)
      await chmod(path, entry.mode & 0o777)
    } catch (error) {
      throw systemError(error, path)
    }
  }
}

/** Of what is still written, whatever it comes to. */
function idOf({ entry, fileDigest, size, blockBytes }: LandingContent): string {
  const { author, contentId } = entry
  const what = blockBytes === 'sections' ? `${author} ${contentId}` : `${fileDigest} ${size}`
  return createHash('sha256').update(what).digest('hex').slice(0, 32)
}

/** The most that it may come to. */
function spanOf({ blockBytes, size }: Pick<LandingContent, 'blockBytes' | 'size'>): number {
  return blockBytes === 'sections' ? limits.growingSpanBytes : size
}

/** Refuses an output that may not be written before anything is fetched. */
async function requireFree(output: string, force: boolean): Promise<void> {
  const found = await lstat(output).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw systemError(error, output)
  })
  if (found === undefined) return
  const path = output
  if (found.isDirectory())
    throw new FrError('ERR_FR_IS_DIRECTORY', `${output} is a directory`, { path })
  if (!force) throw new FrError('ERR_FR_EXISTS', `${output} is there already`, { path })
  if (!found.isFile() && !found.isSymbolicLink())
    throw new FrError('ERR_FR_EXISTS', `${output} is no regular file and stays`, { path })
}

/**
 * Makes and locks the directory `.NAME.KIND` beside an output, or one that nobody else has. Rejects
 * with ERR_FR_BUSY when another process fetches this output, ERR_FR_NO_SPACE, ERR_FR_IO.
 */
export async function openWorkDir(
  storage: Storage,
  output: string | null,
  kind: string,
): Promise<{ readonly workDir: string; readonly dir: DataDirHandle }> {
  const { workDir, isNew } = await workDirOf(output, kind)
  try {
    return { workDir, dir: await storage.openDataDir(workDir) }
  } catch (error) {
    const { code, message } = asFrError(error, 'ERR_FR_IO')
    const isTaken = code === 'ERR_FR_DATA_DIR_LOCKED'
    if (isNew && !isTaken) await rm(workDir, { recursive: true, force: true }).catch(() => {})
    if (code === 'ERR_FR_NO_SPACE') throw error
    if (!isTaken) throw new FrError('ERR_FR_IO', message)
    throw new FrError('ERR_FR_BUSY', `another process is fetching ${output}`)
  }
}

async function workDirOf(
  output: string | null,
  kind: string,
): Promise<{ workDir: string; isNew: boolean }> {
  try {
    if (output === null)
      return { workDir: await mkdtemp(join(tmpdir(), 'fastreplica-get-')), isNew: true }
    const name = basename(output)
    const isLong = Buffer.byteLength(name) > limits.nameComponentBytes - kind.length - 2
    const short = createHash('sha256').update(name).digest('hex').slice(0, 32)
    const workDir = join(dirname(output), `.${isLong ? short : name}.${kind}`)
    let isNew = true
    await mkdir(workDir, 0o700).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
      isNew = false
    })
    return { workDir, isNew }
  } catch (error) {
    throw systemError(error, output ?? tmpdir())
  }
}

/** Never in the place of another file. */
async function linkAs(made: string, output: string): Promise<void> {
  try {
    await link(made, output)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    // The file system has no hard links.
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EMLINK') throw error
    await requireFree(output, false)
    return rename(made, output)
  }
  await unlink(made)
}

const codes: Readonly<Record<string, FrErrorCode>> = {
  EEXIST: 'ERR_FR_EXISTS',
  EISDIR: 'ERR_FR_IS_DIRECTORY',
  ENOTEMPTY: 'ERR_FR_EXISTS',
  ENOSPC: 'ERR_FR_NO_SPACE',
  EDQUOT: 'ERR_FR_NO_SPACE',
}

export function systemError(error: unknown, path: string): FrError {
  if (error instanceof FrError) return error
  const { code = '', message } = error as NodeJS.ErrnoException
  const found = codes[code]
  if (found === 'ERR_FR_EXISTS')
    return new FrError(found, `${path} is there already`, { path, cause: error })
  return new FrError(found ?? 'ERR_FR_IO', message, { path, cause: error })
}
