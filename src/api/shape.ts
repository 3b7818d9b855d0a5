/**
 * Checks JSON of another process, field by field: it may run another version, be broken or be
 * hostile, and its words go to programs and terminals. A table names every field of a type; a field
 * in the type but not in its table does not compile.
 */
import { FrError } from '../base/errors.js'

export type Check = (value: unknown) => boolean
export type Shape<T> = { readonly [Key in keyof Required<T>]: Check }

/** Longer than any name or path. */
const textChars = 16_384

export const text: Check = (value) => typeof value === 'string' && value.length <= textChars
export const amount: Check = (value) =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0
export const fact: Check = (value) => typeof value === 'boolean'
export const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value)
export const one =
  (...choices: readonly string[]): Check =>
  (value) =>
    choices.includes(value as string)

/** The field may be missing; to every other check that is wrong. */
export const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value)

export function list(check: Check, most: number): Check {
  return (value) => Array.isArray(value) && value.length <= most && value.every(check)
}

/** An object of this shape. Throws ERR_FR_PROTOCOL that names the first wrong field. */
export function readShaped(
  json: string,
  shape: Readonly<Record<string, Check>>,
  node: string,
  what: string,
): unknown {
  const refuse = (problem: string): never => {
    throw new FrError('ERR_FR_PROTOCOL', `${node} sent ${what} that ${problem}`, { node })
  }
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    return refuse('is not JSON')
  }
  const wrong = wrongField(value, shape)
  if (wrong === null) return value
  return refuse(wrong === '' ? 'is not an object' : `has no valid '${wrong}'`)
}

/** Returns null when all fields are right. */
export function wrongField(value: unknown, shape: Readonly<Record<string, Check>>): string | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return ''
  const fields = value as Record<string, unknown>
  const wrong = Object.entries(shape).find(
    ([name, check]) => !check(Object.hasOwn(fields, name) ? fields[name] : undefined),
  )
  return wrong?.[0] ?? null
}
