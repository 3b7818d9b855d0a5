/** What a node says of itself, and who may hold what is pushed, as options give it. */
import { type Attributes, attributesFault, claimFault } from '../base/attributes.js'
import { canonical, parseCriteria } from '../base/criteria.js'

/** In canonical form. Throws TypeError, and ERR_FR_CRITERIA that says where it is wrong. */
export function checkOnly(only: string | undefined): string | undefined {
  if (only === undefined) return undefined
  if (typeof only !== 'string') throw new TypeError('only must be a string')
  return canonical(parseCriteria(only))
}

/** With the name of the node, if it has one. Throws TypeError. */
export function checkAttributes(
  attributes: Attributes | undefined,
  name: string | undefined,
): { readonly attributes?: Attributes } {
  if (attributes !== undefined && (typeof attributes !== 'object' || attributes === null))
    throw new TypeError('attributes must be an object')
  const given = attributes ?? {}
  for (const [key, value] of Object.entries(given))
    if (typeof value !== 'string') throw new TypeError(`attributes.${key} must be a string`)
  const said = { ...given, ...(name !== undefined && { name }) }
  const fault = attributesFault(given) ?? claimFault(said)
  if (fault !== null) throw new TypeError(`attributes and name cannot be taken: ${fault}`)
  return Object.keys(said).length === 0 ? {} : { attributes: said }
}
