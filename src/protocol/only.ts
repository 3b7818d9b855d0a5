/** Who may hold a content: criteria in their canonical form, wherever a frame says them. */
import { canonical, parseCriteria } from '../base/criteria.js'
import { limits } from '../base/limits.js'
import type { Fields } from './fields.js'

/** Empty where the frame says nothing. */
export function readOnly(fields: Fields): { readonly only?: string } {
  if (!fields.has('only')) return {}
  const only = fields.string('only', limits.criteriaChars)
  return isCanonical(only) ? { only } : fields.refuse('only', 'is no criteria in canonical form')
}

function isCanonical(text: string): boolean {
  try {
    return canonical(parseCriteria(text)) === text
  } catch {
    return false
  }
}
