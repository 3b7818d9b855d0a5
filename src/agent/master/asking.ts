/** Asks a master, and gives it sets in parts. What it tells is checked before anybody uses it. */
import { randomBytes } from 'node:crypto'
import { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { MasterSubject } from '../../control/messages/asking-master.js'
import type { FileSet } from '../../control/messages/file-sets.js'
import type { MasterRow, SetChange } from '../../control/messages/told.js'
import { plainSet } from '../../protocol/file-sets.js'
import type { AskOptions, Inquiry } from '../client.js'
import { rowIn } from './row-shapes.js'

export interface RowsWanted {
  readonly about: MasterSubject
  readonly node?: string
  readonly name?: string
}

/** The rows, one after the other. */
export async function* rowsOf(
  inquiry: Inquiry,
  within: AskOptions,
  { about, node, name }: RowsWanted,
): AsyncGenerator<MasterRow, void, undefined> {
  const wanted = { type: 'askMaster', about, node: node ?? null, name: name ?? null } as const
  for (let at = 0; ; ) {
    const question = { ...wanted, at }
    const { rows, next } = await inquiry.ask(question, 'masterRows', within)
    for (const row of rows) yield rowIn(row)
    if (next === null) return
    if (next !== at + rows.length) throw new FrError('ERR_FR_PROTOCOL', 'a master skips rows')
    at = next
  }
}

export interface GivenSets {
  readonly sets: readonly FileSet[]
  readonly isPruned: boolean
  readonly isDry: boolean
}

export interface SetsApplied {
  readonly isKept: boolean
  readonly changes: readonly SetChange[]
}

/** They take effect with their last part, all together. */
export async function giveSets(
  inquiry: Inquiry,
  within: AskOptions,
  { sets, isPruned, isDry }: GivenSets,
): Promise<SetsApplied> {
  const text = JSON.stringify({ sets: sets.map(plainSet) })
  const upload = randomBytes(16).toString('hex')
  let isKept = false
  for (let at = 0; at < text.length; ) {
    const part = wholeCharacters(text.slice(at, at + limits.setsPartChars))
    const isLast = at + part.length === text.length
    const given = { upload, at, json: part, isLast, isPruned, isDry }
    const said = await inquiry.ask({ type: 'giveSets', ...given }, 'setsGiven', within)
    at += part.length
    if (said.at !== at) throw new FrError('ERR_FR_PROTOCOL', 'a master has other parts of the sets')
    isKept = said.isKept
  }
  const changes: SetChange[] = []
  for await (const row of rowsOf(inquiry, within, { about: 'changes', name: upload }))
    if (row.event === 'change') changes.push(row)
  return { isKept, changes }
}

/** Without the half of a pair of surrogates at its end. */
function wholeCharacters(text: string): string {
  const last = text.charCodeAt(text.length - 1)
  return last >= 0xd800 && last < 0xdc00 ? text.slice(0, -1) : text
}
