/**
 * What a master answers to those who ask, and the sets that it is given.
 *
 * The idea: rows are made one after the other from what the master knows, and a question takes the
 * next of them that fit a frame; nothing is remembered of who asks. Sets come in parts, and take
 * effect at once and all together, with the last one.
 */
import { utf8 } from '../../base/bytes.js'
import { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { Wanted } from '../../base/rights.js'
import { explained } from '../../control/copies/explained.js'
import type { Master, MasterFact } from '../../control/copies/master.js'
import {
  auditRows,
  componentRows,
  linkRows,
  nodeRows,
  planRows,
} from '../../control/copies/rows.js'
import { appliedSets, setChanges } from '../../control/copies/set-changes.js'
import { setRows } from '../../control/copies/set-rows.js'
import type { MasterAnswer, MasterAsked } from '../../control/messages/asking-master.js'
import type { FileSet } from '../../control/messages/file-sets.js'
import type { MasterRow, SetChange } from '../../control/messages/told.js'
import { parseObject } from '../../protocol/fields.js'
import { readSet } from '../../protocol/file-sets.js'
import type { QuestionTable } from './master-questions.js'

/** A master that runs. */
export interface Asked {
  readonly master: Master
  /** The master's time. */
  readonly nowMs: number
  post(fact: MasterFact): void
}

/** Resolves when what was posted is on the disk, or false where that takes nothing. */
export type Flush = () => Promise<boolean>

type Ask = Extract<MasterAsked, { type: 'askMaster' }>
type Given = Extract<MasterAsked, { type: 'giveSets' }>
type Drain = Extract<MasterAsked, { type: 'drain' }>

const reads: readonly Wanted[] = [{ right: 'status' }]
const changes: readonly Wanted[] = [{ right: 'admin' }]

/**
 * `asked` is called once somebody asks. `isDrained` tells of nodes that may not have joined in this
 * run of the master.
 */
export function questionsOf(
  asked: () => Asked,
  flush: Flush,
  isDrained: (node: string) => boolean = () => false,
): QuestionTable {
  const answers = new Answers(asked, flush, isDrained)
  return {
    askMaster: { wanted: reads, isRead: true, answer: (frame) => answers.rows(frame) },
    giveSets: { wanted: changes, isRead: false, answer: (frame) => answers.given(frame) },
    drain: { wanted: changes, isRead: false, answer: (frame) => answers.drained(frame) },
  }
}

class Answers {
  readonly #asked: () => Asked
  readonly #flush: Flush
  readonly #isDrained: (node: string) => boolean
  readonly #uploads = new Uploads()

  constructor(asked: () => Asked, flush: Flush, isDrained: (node: string) => boolean) {
    this.#asked = asked
    this.#flush = flush
    this.#isDrained = isDrained
  }

  rows(frame: Ask): MasterAnswer {
    const rows: string[] = []
    let [at, bytes] = [0, 0]
    for (const row of this.#rowsOf(frame)) {
      if (at++ < frame.at) continue
      const text = JSON.stringify(row)
      bytes += utf8(text).length
      const isFull = rows.length === limits.masterRows || bytes > limits.masterRowsBytes
      if (isFull && rows.length > 0) return { type: 'masterRows', rows, next: at - 1 }
      rows.push(text)
    }
    return { type: 'masterRows', rows, next: null }
  }

  #rowsOf({ about, node, name }: Ask): Iterable<MasterRow> {
    const { master, nowMs } = this.#asked()
    switch (about) {
      case 'sets':
        return setRows(master, nowMs)
      case 'nodes':
        return nodeRows(master)
      case 'plan':
        return planRows(master, name)
      case 'links':
        return linkRows(master, nowMs)
      case 'components':
        return componentRows(master, nowMs)
      case 'audit':
        return auditRows(master)
      case 'changes':
        return this.#uploads.changesOf(name ?? '')
      case 'explain': {
        const row = explained(master, node ?? '', name ?? '', nowMs)
        if (row === null) throw noNode(node ?? '')
        return [row]
      }
      default:
        return about satisfies never
    }
  }

  async given(frame: Given): Promise<MasterAnswer> {
    const text = this.#uploads.take(frame, this.#asked().nowMs)
    const at = frame.at + frame.json.length
    if (text === null) return { type: 'setsGiven', at, isKept: true }
    const given = setsIn(text)
    const asked = this.#asked()
    const { master } = asked
    const others = given.map(({ isOwn: _, ...set }) => set)
    const sets = appliedSets(master.sets, others, frame.isPruned)
    requireSets(sets)
    this.#uploads.tells(frame.upload, setChanges(master.sets, sets))
    if (frame.isDry) return { type: 'setsGiven', at, isKept: true }
    asked.post({ type: 'sets', sets })
    return { type: 'setsGiven', at, isKept: await this.#flush() }
  }

  async drained({ node, isDrained }: Drain): Promise<MasterAnswer> {
    const asked = this.#asked()
    const { master } = asked
    const member = master.members.get(node)
    if (member === undefined && !this.#isDrained(node)) throw noNode(node)
    const copies = [...master.scheduler.copies.values()].filter(
      ({ source, target }) => source === member?.id || target === member?.id,
    )
    asked.post({ type: 'drain', node, isDrained })
    const isKept = await this.#flush()
    return { type: 'drained', copies: isDrained ? copies.length : 0, isKept }
  }
}

function noNode(node: string): FrError {
  return new FrError('ERR_FR_NO_NODE', `no node ${JSON.stringify(node)} has joined this master`)
}

function setsIn(text: string): FileSet[] {
  return parseObject(utf8(text), 'sets').list('sets', limits.masterSets, readSet)
}

/** Throws why a master cannot have these. */
function requireSets(sets: readonly FileSet[]): void {
  const names = new Set(sets.map(({ name }) => name))
  if (names.size < sets.length) throw new FrError('ERR_FR_DOCUMENT', 'a set is there twice')
  if (sets.length > limits.masterSets)
    throw new FrError('ERR_FR_LIMIT', `more than ${limits.masterSets} sets`)
  const files = sets.reduce((sum, set) => sum + set.files.length, 0)
  if (files > limits.setFiles)
    throw new FrError('ERR_FR_LIMIT', `more than ${limits.setFiles} files in all sets together`)
}

interface Upload {
  readonly parts: string[]
  units: number
  readonly sinceMs: number
  changes: readonly SetChange[] | null
}

/** Texts that come in parts, few at a time; the oldest goes for another one. */
class Uploads {
  readonly #all = new Map<string, Upload>()

  /** All of the text with its last part; null before that. */
  take({ upload: id, at, json, isLast }: Given, nowMs: number): string | null {
    for (const [other, { sinceMs }] of this.#all)
      if (sinceMs + limits.setUploadMs < nowMs) this.#all.delete(other)
    const known = this.#all.get(id)
    const upload = known ?? { parts: [], units: 0, sinceMs: nowMs, changes: null }
    if (upload.units !== at || upload.changes !== null)
      throw new FrError('ERR_FR_PROTOCOL', 'a part of the sets is not the next one')
    upload.parts.push(json)
    upload.units += json.length
    if (upload.units > limits.stateEntryBytes / 4)
      throw new FrError('ERR_FR_LIMIT', 'the sets together are too long')
    this.#all.set(id, upload)
    if (this.#all.size > limits.setUploads)
      this.#all.delete(this.#all.keys().next().value as string)
    return isLast ? upload.parts.join('') : null
  }

  tells(id: string, changes: readonly SetChange[]): void {
    const upload = this.#all.get(id)
    if (upload === undefined) return
    upload.parts.length = 0
    upload.changes = changes
  }

  changesOf(id: string): readonly SetChange[] {
    const changes = this.#all.get(id)?.changes
    if (changes === undefined || changes === null)
      throw new FrError('ERR_FR_PROTOCOL', 'no sets were given under this number')
    return changes
  }
}
