/**
 * What every document begins with, as tools for declared state have it: which version of the format
 * it is in, of what kind it is, what it is called.
 *
 *     apiVersion: fastreplica/v1
 *     kind: FileSet
 *     metadata:
 *       name: models
 *     spec: ...
 */
import { limits } from '../base/limits.js'
import { documentsIn, type Faults, shown, type TextOf, type Value } from './yaml.js'

export const apiVersion = 'fastreplica/v1'

export interface Enveloped<K extends string> {
  readonly kind: K
  /** Null: it has none. */
  readonly name: string | null
  readonly spec: Value
  readonly document: Value
}

/** The documents of a file, all of which are of one of these kinds. */
export function envelopesIn<K extends string>(
  file: TextOf,
  kinds: readonly K[],
  faults: Faults,
): Enveloped<K>[] {
  const found: Enveloped<K>[] = []
  for (const document of documentsIn(file, faults)) {
    const one = envelopeOf(document, kinds)
    if (one !== null) found.push(one)
  }
  return found
}

function envelopeOf<K extends string>(document: Value, kinds: readonly K[]): Enveloped<K> | null {
  const fields = document.fields(['apiVersion', 'kind', 'metadata', 'spec'])
  if (fields === null) return null
  const version = field(document, fields, 'apiVersion')
  version?.read((text) => (text === apiVersion ? {} : `${shown(text)} is not ${apiVersion}`))
  const kind = field(document, fields, 'kind')?.read((text) => {
    const known = kinds.find((one) => one === text)
    return known === undefined ? `${shown(text)} is not ${kinds.join(' or ')}` : { known }
  })
  const metadata = fields.get('metadata')?.fields(['name', 'labels', 'annotations'])
  const name = metadata?.get('name')
  const text = name === undefined ? null : nameIn(name)
  const spec = field(document, fields, 'spec')
  if (!kind || spec === null) return null
  return { kind: kind.known, name: text, spec, document }
}

/** A field that has to be there. */
export function field(of: Value, fields: ReadonlyMap<string, Value>, name: string): Value | null {
  const found = fields.get(name)
  if (found === undefined) of.fault(`the field ${name} is missing`)
  return found ?? null
}

/** The name of a set, a site, a link or a node. */
export function nameIn(value: Value): string | null {
  const most = limits.documentNameChars
  const found = value.read((text) => {
    if (text.length > most) return `it is longer than ${most} characters`
    if (/[\s\p{Cc}\p{Zl}\p{Zp}]/u.test(text)) return `${shown(text)} holds a blank or worse`
    return { text }
  })
  return found?.text ?? null
}
