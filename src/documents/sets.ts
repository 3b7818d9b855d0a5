/** Sets of files: which there are, and which nodes are to hold them (docs/master.md). */
import { utf8 } from '../base/bytes.js'
import { type Criteria, parseCriteria } from '../base/criteria.js'
import { FrError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { nameFault } from '../base/names.js'
import { sizeIn } from '../base/units.js'
import type { FileSet, SetFile } from '../control/copies/sets.js'
import { type Enveloped, envelopesIn, field, nameIn } from './envelope.js'
import { Faults, shown, type TextOf, type Value } from './yaml.js'

/** The sets of several files, in their order. Throws ERR_FR_DOCUMENT with all that is wrong. */
export function readSets(files: readonly TextOf[]): FileSet[] {
  const faults = new Faults()
  const sets: FileSet[] = []
  const places = new Map<string, string>()
  let left = limits.setFiles
  for (const file of files) {
    for (const document of envelopesIn(file, ['FileSet'], faults)) {
      const set = setIn(document)
      const before = places.get(set.name)
      if (before !== undefined) document.document.fault(`set ${set.name} is at ${before} already`)
      else places.set(set.name, document.document.place)
      left -= set.files.length
      sets.push(set)
    }
    if (sets.length > limits.masterSets)
      faults.add(file.path, `more than ${limits.masterSets} sets`)
    if (left < 0) faults.add(file.path, `more than ${limits.setFiles} files in all sets together`)
    if (sets.length > limits.masterSets || left < 0) break
  }
  faults.throwIfAny()
  return sets
}

const usualPriority = 5

function setIn({ name, spec, document }: Enveloped<'FileSet'>): FileSet {
  if (name === null) document.fault('metadata.name is missing')
  const set = { name: name ?? '', files: [], where: null, never: null, from: null }
  const fields = spec.fields(['files', 'where', 'nodes', 'never', 'from', 'priority'])
  if (fields === null) return { ...set, priority: usualPriority }
  const [where, never, from] = ['where', 'never', 'from'].map((key) => {
    const value = fields.get(key)
    return value === undefined ? null : value.read(criteriaIn)
  }) as [Criteria | null, Criteria | null, Criteria | null]
  const named = fields.get('nodes')
  const nodes = named?.items(limits.setNodes).map(nameIn) ?? []
  if (!fields.has('where') && named === undefined)
    spec.fault("it means no node: 'where: CRITERIA' or 'nodes: [NAME, ..]' is missing")
  const priority = fields.get('priority')?.read(priorityIn) ?? usualPriority
  const files = field(spec, fields, 'files')
  return {
    ...set,
    ...{ where, never, from, priority },
    ...(named && { nodes: nodes.filter((one) => one !== null) }),
    files: files === null ? [] : filesIn(files),
  }
}

function filesIn(list: Value): SetFile[] {
  const files: SetFile[] = []
  const seen = new Set<string>()
  for (const item of list.items(limits.setFiles)) {
    const file = fileIn(item)
    if (file === null) continue
    if (seen.has(file.name)) item.fault(`${shown(file.name)} is there twice`)
    seen.add(file.name)
    files.push(file)
  }
  return files
}

/** The name alone means its latest version. */
function fileIn(item: Value): SetFile | null {
  if (item.isText) {
    const name = item.read(fileNameIn)
    return name === null ? null : { name: name.text, digest: null }
  }
  const fields = item.fields(['name', 'digest', 'size'])
  if (fields === null) return null
  const name = field(item, fields, 'name')?.read(fileNameIn)
  const named = fields.get('digest')
  const digest = named?.text() === 'latest' ? undefined : named?.read(digestIn)
  const size = fields.get('size')?.read(sizeIn)
  if (size !== undefined && digest === undefined)
    fields.get('size')?.fault('the latest version may have any size: name its digest as well')
  if (!name) return null
  return {
    name: name.text,
    digest: digest?.text ?? null,
    ...(typeof size === 'number' && { size }),
  }
}

interface Text {
  readonly text: string
}

function fileNameIn(text: string): Text | string {
  const fault = nameFault(utf8(text))
  return fault === null ? { text } : `no file can be called ${shown(text)}: ${fault}`
}

/** As `fr digest` and `fr ls` show it. */
const digestPattern = new RegExp(
  '^(?:blake3:[0-9a-f]{64}|sha256-blocks/[1-9]\\d{0,15}:[0-9a-f]{64}' +
    '|xxh64-blocks/[1-9]\\d{0,15}:[0-9a-f]{16})$',
)

function digestIn(text: string): Text | string {
  return digestPattern.test(text) ? { text } : `${shown(text)} is no digest as fr digest prints it`
}

function priorityIn(text: string): number | string {
  return /^(?:\d|10)$/.test(text) ? Number(text) : `${shown(text)} is no priority from 0 to 10`
}

function criteriaIn(text: string): Criteria | string {
  try {
    return parseCriteria(text)
  } catch (error) {
    if (error instanceof FrError) return error.message
    throw error
  }
}
