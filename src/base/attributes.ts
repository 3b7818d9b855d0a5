/**
 * Attributes: what is said of a node (or of a content) in keys and values, for criteria to judge.
 * A value is a text, which may be empty: the key alone says something then (`gpu`). A text that
 * spells a decimal number can be compared as one.
 */
import { textOf, utf8 } from './bytes.js'
import { limits } from './limits.js'

export type Attributes = Readonly<Record<string, string>>

/** Letters, digits, `_`, `.` and `-`, and a letter or `_` first. */
const keyPattern = /^[A-Za-z_][A-Za-z0-9_.-]*$/
const numberPattern = /^-?\d{1,15}(?:\.\d{1,6})?$/

/** Keys that a node does not choose: criteria find its name and its id under them. */
export const givenKeys: readonly string[] = ['name', 'id']

/** Why this can be no key, as the end of a sentence; null if it can. */
export function keyFault(key: string): string | null {
  if (key.length > limits.attributeKeyChars)
    return `is longer than ${limits.attributeKeyChars} characters`
  return keyPattern.test(key) ? null : "is not letters, digits, '_', '.' and '-', a letter first"
}

/** Why this can be no value, as the end of a sentence; null if it can. */
export function valueFault(value: string): string | null {
  if (value.length > limits.attributeValueChars)
    return `is longer than ${limits.attributeValueChars} characters`
  if (textOf(utf8(value)) !== value) return 'is no valid Unicode'
  return /[\p{Cc}\p{Zl}\p{Zp}]/u.test(value) ? 'holds a control character' : null
}

/** Why these can be no attributes of a node, as a sentence; null if they can. */
export function attributesFault(attributes: Attributes): string | null {
  const given = Object.keys(attributes).find((key) => givenKeys.includes(key))
  if (given !== undefined) return `${given} is given to each node, and cannot be set`
  return claimFault(attributes)
}

/** The same of what a node says of itself, which may be its name; its id is proved. */
export function claimFault(attributes: Attributes): string | null {
  const entries = Object.entries(attributes)
  if (entries.length > limits.attributes) return `there are more than ${limits.attributes}`
  for (const [key, value] of entries) {
    if (key === 'id') return 'id is proved, and cannot be said'
    const fault = keyFault(key) ?? valueFault(value)
    if (fault !== null) return `${JSON.stringify(`${key}=${value}`)} ${fault}`
  }
  const bytes = utf8(JSON.stringify(attributes)).length
  return bytes <= limits.attributesBytes
    ? null
    : `together they are longer than ${limits.attributesBytes} bytes`
}

/** The number that a value spells, else null. */
export function numberOf(value: string): number | null {
  return numberPattern.test(value) ? Number(value) + 0 : null
}

/** The value under a key of its own; undefined where there is none. */
export function attributeOf(attributes: Attributes, key: string): string | undefined {
  return Object.hasOwn(attributes, key) ? attributes[key] : undefined
}

/** What frames say of the site; empty where it is not said. */
export function siteOf(attributes: Attributes): string {
  return attributeOf(attributes, 'site')?.slice(0, limits.siteChars) ?? ''
}
