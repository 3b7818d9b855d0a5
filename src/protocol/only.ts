/** Who may hold a content: criteria in their canonical form, wherever a frame says them. */
import { canonical, parseCriteria } from '../base/criteria.js'
import { limits } from '../base/limits.js'
import type { Fields } from './fields.js'

/** Empty where the frame says nothing. */
export function readOnly(fields: Fields): { readonly only?: string } {
  return fields.has('only') ? { only: readCriteria(fields, 'only') } : {}
}

export function readCriteria(fields: Fields, key: string): string {
  const text = fields.string(key, limits.criteriaChars)
  return isCanonical(text) ? text : fields.refuse(key, 'is no criteria in canonical form')
}

function isCanonical(text: string): boolean {
  try {
    return canonical(parseCriteria(text)) === text
  } catch {
    return false
  }
}
