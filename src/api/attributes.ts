/** What a node says of itself, as its options give it. */
import { type Attributes, attributesFault, claimFault } from '../base/attributes.js'

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
