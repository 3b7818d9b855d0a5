/**
 * Votes of a node in decisions, on its disk: `DATA/.fastreplica/commits/ID` for each that is open,
 * and `state` for what is known of those that are over.
 *
 * The idea: a record is replaced as a whole, and durable when `put` resolves; only then is it told
 * to anybody. A record that cannot be read is a vote that is lost, and a node that voted once more
 * might vote otherwise: then nothing is loaded at all.
 */
import { mkdir, readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { utf8 } from '../../base/bytes.js'
import { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { hiddenDir } from '../../base/names.js'
import type { CommitRecord, Verdict } from '../../control/messages/commit.js'
import { readAccepted, readBallot, readDecree, readVerdict } from '../../protocol/commit.js'
import { type Fields, parseObject } from '../../protocol/fields.js'
import {
  checksum,
  isTemporary,
  readKept,
  replaceFile,
  syncDirectory,
  writeAll,
} from '../files/durable.js'

const directory = 'commits'
const stateName = 'state'
const most = Number.MAX_SAFE_INTEGER
const checkDigits = 16
const digestChars = 128

/** A decision that this node takes part in, with what only this node knows of it. */
export interface KeptDecision {
  readonly record: CommitRecord
  /** Its content was brought for it: after an abort it goes. */
  readonly isNew: boolean
  /** Unix milliseconds at which it began here. */
  readonly sinceMs: number
}

/** What is known of decisions that are over. */
export interface Settled {
  /** Of each name, by its key, the order of the version that has it. */
  readonly orders: ReadonlyMap<string, number>
  /** The same: the content that a decision has put there last. */
  readonly placed: ReadonlyMap<string, string>
  /** By their ids, the oldest first. */
  readonly over: ReadonlyMap<string, Verdict>
  /** The highest id of those that nothing is known of any more; empty: there are none. */
  readonly forgotten: string
}

export interface CommitState extends Settled {
  readonly decisions: readonly KeptDecision[]
}

export class CommitRecords {
  readonly #hidden: string
  readonly #path: string

  constructor(dataDir: string) {
    this.#hidden = join(dataDir, hiddenDir)
    this.#path = join(this.#hidden, directory)
  }

  /** Rejects with ERR_FR_CATALOGUE where a vote cannot be read. */
  async load(): Promise<CommitState> {
    const decisions: KeptDecision[] = []
    for (const name of (await this.#names()).sort()) {
      const path = join(this.#path, name)
      if (isTemporary(name)) await unlink(path)
      else if (name !== stateName) decisions.push(await this.#read(name, readDecision))
    }
    const nothing = { orders: new Map(), placed: new Map(), over: new Map(), forgotten: '' }
    const isThere = (await this.#names()).includes(stateName)
    const settled = isThere ? await this.#read(stateName, readSettled) : nothing
    return { decisions, ...settled }
  }

  /** Durable when it resolves. */
  async put(decision: KeptDecision): Promise<void> {
    const { record, isNew, sinceMs } = decision
    await this.#write(record.decree.id, { ...record, isNew, sinceMs })
  }

  /** Durable when it resolves. */
  async settle({ orders, placed, over, forgotten }: Settled): Promise<void> {
    const verdicts = [...over].map(([id, verdict]) => ({ id, verdict }))
    const names = [...orders].map(([key, order]) => {
      const digest = placed.get(key)
      return { key, order, ...(digest !== undefined && { digest }) }
    })
    await this.#write(stateName, { orders: names, over: verdicts, forgotten })
  }

  /** It is over, and `settle` has said so. */
  async remove(id: string): Promise<void> {
    await unlink(join(this.#path, id)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
    })
    await syncDirectory(this.#path)
  }

  async #names(): Promise<string[]> {
    return readdir(this.#path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return []
      throw error
    })
  }

  /** In a data directory that is there: one that was removed is not made again. */
  async #make(): Promise<void> {
    try {
      await mkdir(this.#path, { mode: 0o700 })
      await syncDirectory(this.#hidden)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }

  async #write(name: string, value: object): Promise<void> {
    await this.#make()
    const text = JSON.stringify(value)
    const bytes = utf8(`${checksum(text)}${text}`)
    await replaceFile(join(this.#path, name), (file) => writeAll(file, bytes, 0))
    await syncDirectory(this.#path)
  }

  async #read<T>(name: string, read: (fields: Fields) => T): Promise<T> {
    const path = join(this.#path, name)
    const bytes = await readKept(path, name === stateName ? stateBytes : limits.commitRecordBytes)
    try {
      const text = bytes?.toString('utf8') ?? ''
      const body = text.slice(checkDigits)
      if (text.slice(0, checkDigits) !== checksum(body)) throw new Error('its checksum is wrong')
      return read(parseObject(utf8(body), name))
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      const what = `${path} cannot be read, and with it what this node has voted: ${why}`
      throw new FrError('ERR_FR_CATALOGUE', what, { cause: error })
    }
  }
}

/** Names, and beside each its order and a digest; verdicts. */
const besideName = 256
const verdictBytes = 128
const stateBytes =
  limits.commitNamesBytes +
  limits.commitNames * besideName +
  limits.commitsKept * verdictBytes +
  4096

function readDecision(fields: Fields): KeptDecision {
  const decree = readDecree(fields.object('decree'))
  const orNull = <T>(name: string, read: () => T): T | null => (fields.isNull(name) ? null : read())
  return {
    record: {
      decree,
      you: fields.integer('you', 0, decree.members.length - 1),
      prepared: orNull('prepared', () => fields.integer('prepared', 0, most)),
      promised: readBallot(fields, 'promised'),
      accepted: orNull('accepted', () => readAccepted(fields.object('accepted'))),
      verdict: orNull('verdict', () => readVerdict(fields)),
      isApplied: fields.boolean('isApplied'),
    },
    isNew: fields.boolean('isNew'),
    sinceMs: fields.integer('sinceMs', 0, most),
  }
}

function readSettled(fields: Fields): Settled {
  const names = fields.list('orders', limits.commitNames, (name) => {
    const key = name.string('key', 2 * limits.nameBytes)
    const digest = name.has('digest') ? name.string('digest', digestChars) : undefined
    return { key, order: name.integer('order', 0, most), digest }
  })
  const orders = names.map(({ key, order }) => [key, order] as const)
  const placed = names.flatMap(({ key, digest }) =>
    digest === undefined ? [] : [[key, digest] as const],
  )
  const over = fields.list('over', limits.commitsKept, (one) => {
    return [one.hex('id', 32), readVerdict(one)] as const
  })
  const forgotten = fields.string('forgotten', 32)
  return { orders: new Map(orders), placed: new Map(placed), over: new Map(over), forgotten }
}
