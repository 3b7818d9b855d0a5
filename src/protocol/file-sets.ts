/** Sets of files in frames and on the disk of a master: criteria are text there. */
import { type Criteria, canonical, parseCriteria } from '../base/criteria.js'
import { limits } from '../base/limits.js'
import type { FileSet, SetFile } from '../control/messages/file-sets.js'
import type { Fields } from './fields.js'
import { readFileDigest } from './file-digest.js'
import { decodeName } from './manifest.js'

const most = Number.MAX_SAFE_INTEGER

/** A set as JSON has it. */
export function plainSet({ where, never, from, ...set }: FileSet): object {
  const text = (criteria: Criteria | null) => (criteria === null ? null : canonical(criteria))
  return { ...set, where: text(where), never: text(never), from: text(from) }
}

export function readSet(fields: Fields): FileSet {
  const { documentNameChars, setNodes, setFiles } = limits
  const named = fields.has('nodes') ? fields.strings('nodes', setNodes, documentNameChars) : null
  return {
    name: fields.string('name', documentNameChars),
    files: fields.list('files', setFiles, readSetFile),
    where: readCriteria(fields, 'where'),
    ...(named !== null && { nodes: named }),
    priority: fields.integer('priority', 0, 10),
    never: readCriteria(fields, 'never'),
    from: readCriteria(fields, 'from'),
    ...(fields.has('isOwn') && fields.boolean('isOwn') && { isOwn: true as const }),
  }
}

function readSetFile(fields: Fields): SetFile {
  const name = fields.string('name', limits.nameBytes)
  decodeName({ name, nameIsBase64: false })
  return {
    name,
    digest: fields.isNull('digest') ? null : readFileDigest(fields, 'digest'),
    ...fields.optional('size', 0, most),
  }
}

function readCriteria(fields: Fields, name: string): Criteria | null {
  return fields.isNull(name) ? null : parseCriteria(fields.string(name, limits.criteriaChars))
}
