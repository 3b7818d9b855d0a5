/**
 * Coded content that is whole: the file is decoded into a partial of its own, verified, and takes
 * the name; mates have the coded bytes as long as the transfer lives.
 *
 * The idea: what a node cannot decode, or has no use for in this form, it refuses by ERR_FR_CODING,
 * and is sent the content as it is in the same push. So there is one answer for everything that can
 * be in the way: another engine, no base, a base that somebody edits meanwhile, the file itself.
 */
import { open } from 'node:fs/promises'
import { bytesOfHex, concat, readU32 } from '../../base/bytes.js'
import { frameBytesFor } from '../../base/coding.js'
import { FrError } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import { blockBytesFor, limits } from '../../base/limits.js'
import type { Coded, ContentName, StreamEntry } from '../../control/messages/types.js'
import type { Told } from '../../control/receiver/events.js'
import { spanBytes } from '../../control/space/space.js'
import { nodePrimitives } from '../../net/crypto.js'
import type { FileHandle } from '../../ports.js'
import {
  type CodedHeader,
  codedHeadBytes,
  readCodedHead,
  readCodedHeader,
} from '../../protocol/coded-header.js'
import { readDigests } from '../../protocol/digest-record.js'
import type { HeldStream } from '../../store/catalogue/record.js'
import type { Partial } from '../../store/partial.js'
import { noteDecoded } from './decoded-log.js'
import type { NodeHost } from './node-host.js'
import type { Publication } from './publish.js'
import type { HowItCame } from './record.js'
import { SignedRuns } from './signed-runs.js'
import type { ReceptionSpec } from './spec.js'

/** What the entry of coded content says of the file, as the entry of the file. */
export function fileEntryOf({
  coded,
  ...entry
}: StreamEntry & { readonly coded: Coded }): StreamEntry {
  const { contentId, size, dataBytes } = coded
  return { ...entry, contentId, size, dataBytes, span: spanBytes(size, blockBytesFor(size)) }
}

export interface DecodedFile {
  readonly partial: Partial
  /** What is done with it once it is whole. */
  readonly publication: Publication
}

export class CodedPublication implements Publication {
  readonly #host: NodeHost
  readonly #partial: Partial
  readonly #decoded: DecodedFile
  readonly #coded: Coded
  readonly #spec: ReceptionSpec
  readonly #plain: Pick<Publication, 'sum'>
  #base: { readonly file: FileHandle; readonly record: HeldStream } | undefined

  /** `plain` sums up the coded bytes. */
  constructor(
    host: NodeHost,
    partial: Partial,
    decoded: DecodedFile,
    plain: Pick<Publication, 'sum'>,
    spec: ReceptionSpec,
  ) {
    this.#host = host
    this.#partial = partial
    this.#decoded = decoded
    this.#plain = plain
    this.#spec = spec
    this.#coded = spec.entry.coded as Coded
  }

  get name(): Uint8Array {
    return this.#decoded.publication.name
  }

  /** Refuses by ERR_FR_CODING what would rather come as it is. */
  async checkName(): Promise<void> {
    const { engine, store } = this.#host
    if (engine.kind !== 'native') throw asItIs('this node has no engine that decodes')
    await this.#decoded.publication.checkName()
    if (this.#recordOf(this.#coded) !== undefined) throw asItIs('the node has this content')
    const { base } = this.#coded
    if (base === undefined) return
    const record = this.#recordOf(base)
    const file = record && (await store.holdings.openWhole(record))
    if (record === undefined || file === undefined)
      throw asItIs(`the node does not hold the base, ${base.fileDigest}`)
    this.#base = { file, record }
  }

  #recordOf({ fileDigest, size }: ContentName): HeldStream | undefined {
    const { only } = this.#spec.entry
    return this.#host.store.catalogue.ofContent(this.name, fileDigest, size, only)
  }

  async probe(): Promise<void> {
    await this.#decoded.partial.create(this.#coded.size)
    await this.#decoded.publication.probe()
  }

  sum(digests: Uint8Array): string {
    return this.#plain.sum(digests)
  }

  async publish(): Promise<Told> {
    const header = await this.#header()
    const { publication, partial } = this.#decoded
    let digests: Uint8Array
    try {
      await this.#decode(header)
      digests = await this.#hashDecoded()
      if (publication.sum(digests) !== this.#coded.fileDigest)
        throw new FrError('ERR_FR_DIGEST', 'what was decoded is not the file that was announced')
    } catch (error) {
      throw await this.#reasonOf(error)
    }
    const runs = this.#signed(header)
    const arrived = (): HowItCame => ({ runs, copied: undefined })
    return publication.publish(() => this.#note(partial, digests, runs), arrived)
  }

  async release(failed: (id: string, error: unknown) => void): Promise<void> {
    const { partial } = this.#decoded
    if (this.#base !== undefined) this.#host.storage.closeFile(this.#base.file)
    await partial.release(false, failed)
    await this.#host.store.leftovers.drop(partial.id)
  }

  /** Whoever starts after this process was killed knows the file. */
  #note(partial: Partial, digests: Uint8Array, signed: SignedRuns): Promise<void> {
    const { work } = this.#host
    const { algorithm, entry, transfer } = this.#spec
    const { size, contentId, fileDigest } = this.#coded
    const geometry = { size, blockBytes: blockBytesFor(size), algorithm }
    const by = signed.covering()
    const own = { contentId: work.freshId(), author: work.author }
    const content = by === undefined ? own : { contentId, author: entry.author }
    return noteDecoded(this.#host, {
      ...{ partial, name: this.name, transfer, fileDigest },
      entry: fileEntryOf({ ...entry, coded: this.#coded }),
      content: { ...content, ...geometry },
      runs: [{ offset: 0, length: size, digests }],
      signed: by ?? work.sign({ ...own, ...geometry }, digests),
    })
  }

  async #header(): Promise<CodedHeader> {
    const file = await open(this.#host.store.pathOfPartial(this.#partial.id))
    const { size } = this.#spec.entry
    const read = async (bytes: number): Promise<Uint8Array> => {
      const into = new Uint8Array(Math.min(bytes, size))
      await file.read(into, 0, into.length, 0)
      return into
    }
    try {
      const bytes = readCodedHead(await read(codedHeadBytes), this.#coded)
      return readCodedHeader(await read(bytes), this.#coded, size)
    } catch (error) {
      throw wrong(error)
    } finally {
      await file.close()
    }
  }

  /** A few tasks at a time, each over frames that follow each other. */
  async #decode({ lengths }: CodedHeader): Promise<void> {
    const { engine, pool } = this.#host
    const { coding, size: fileBytes } = this.#coded
    const frameBytes = frameBytesFor(fileBytes)
    const most = 4 * (limits.codeTaskBytes / frameBytes)
    const files = {
      coded: engine.hashSource(this.#partial.file),
      to: engine.hashSource(this.#decoded.partial.file),
      base: this.#base && engine.hashSource(this.#base.file),
    }
    let next = 0
    let at = this.#spec.entry.size - sumOf(lengths)
    const lane = async (): Promise<void> => {
      while (next < lengths.length) {
        const part = lengths.slice(next, next + most)
        const place = { at, lengths: part, offset: (next / 4) * frameBytes }
        next += part.length
        at += sumOf(part)
        await pool.decode({ coding, ...files, ...place, fileBytes, frameBytes })
      }
    }
    await allOf(Array.from({ length: limits.codeTasks }, lane))
  }

  /** Digests of all blocks, laid end to end. */
  async #hashDecoded(): Promise<Uint8Array> {
    const { partial } = this.#decoded
    const { size } = this.#coded
    const { algorithm } = this.#spec
    const geometry = { size, blockBytes: blockBytesFor(size), algorithm }
    const parts: Uint8Array[] = []
    for await (const { digests } of this.#host.work.hash(partial.file, geometry, never))
      parts.push(digests)
    return concat(...parts)
  }

  /** A base that somebody edits is no fault of the author. */
  async #reasonOf(error: unknown): Promise<FrError> {
    const { code, message } = asFrError(error, 'ERR_FR_IO')
    if (code !== 'ERR_FR_PROTOCOL' && code !== 'ERR_FR_DIGEST') return new FrError(code, message)
    if (this.#base !== undefined) {
      const { file, record } = this.#base
      const now = await this.#host.storage.identityOf(file)
      const isSame = await this.#host.store.holdings.isDescribed(now, record)
      if (!isSame) return asItIs('somebody else changed the base while the patch was applied')
    }
    return wrong(error)
  }

  /** As the author signed them; the node signs what was not. */
  #signed({ runs }: CodedHeader): SignedRuns {
    const { algorithm, entry } = this.#spec
    const { size, contentId } = this.#coded
    const blockBytes = blockBytesFor(size)
    const author = bytesOfHex(entry.author) ?? new Uint8Array()
    const signed = new SignedRuns(size, blockBytes)
    for (const run of runs) {
      try {
        readDigests(nodePrimitives, author, { contentId, algorithm, blockBytes }, run, run.payload)
      } catch {
        continue
      }
      signed.keep(run)
    }
    return signed
  }
}

const never = new AbortController().signal

function asItIs(why: string): FrError {
  return new FrError('ERR_FR_CODING', why)
}

function wrong(error: unknown): FrError {
  const { message } = asFrError(error, 'ERR_FR_DIGEST')
  return new FrError('ERR_FR_DIGEST', `the coded content is wrong: ${message}`)
}

function sumOf(lengths: Uint8Array): number {
  let sum = 0
  for (let at = 0; at < lengths.length; at += 4) sum += readU32(lengths, at)
  return sum
}

/** Waits for all, whatever fails: they still write the file. */
async function allOf(work: readonly Promise<void>[]): Promise<void> {
  await Promise.allSettled(work)
  await Promise.all(work)
}
