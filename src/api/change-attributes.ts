/** `client.changeAttributes`: what is true of a node from now on. */
import { type Attributes, attributesFault } from '../base/attributes.js'
import { limits } from '../base/limits.js'
import { requireAddressText } from '../net/address.js'
import type { AttributesApplied, ChangeAttributesOptions } from './directory-types.js'
import { asking, checkAsking } from './inquiry.js'
import { requireOptions } from './option-names.js'

/**
 * Changes attributes of the node at `address` while it runs; it holds until the node ends. Resolves
 * with all that it has then. Throws TypeError for misuse; rejects with ERR_FR_LIMIT where the node
 * would have more than it can say, ERR_FR_RIGHT and as `client.list`.
 */
export async function changeAttributes(
  address: string,
  options: ChangeAttributesOptions,
): Promise<AttributesApplied> {
  const node = requireAddressText(address, 'address')
  requireOptions('changeAttributes', options)
  checkAsking(options)
  const { set = {}, unset = [] } = options
  requireAttributes(set)
  if (!Array.isArray(unset) || unset.some((key) => typeof key !== 'string'))
    throw new TypeError('unset must be a list of keys')
  requireAttributes(Object.fromEntries(unset.map((key) => [key, ''])))
  if (Object.keys(set).length === 0 && unset.length === 0)
    throw new TypeError('set or unset must name an attribute')
  const twice = unset.find((key) => Object.hasOwn(set, key))
  if (twice !== undefined) throw new TypeError(`${twice} cannot be set and unset`)
  return asking(node, options, limits.acceptMs, async ({ inquiry, ...within }) => {
    const question = { type: 'describe', set, unset: [...new Set(unset)] } as const
    const { attributes } = await inquiry.ask(question, 'described', within)
    return { event: 'attributes', node, attributes }
  })
}

function requireAttributes(attributes: Attributes): void {
  if (typeof attributes !== 'object' || attributes === null || Array.isArray(attributes))
    throw new TypeError('set must be an object')
  for (const [key, value] of Object.entries(attributes))
    if (typeof value !== 'string') throw new TypeError(`set.${key} must be a string`)
  const fault = attributesFault(attributes)
  if (fault !== null) throw new TypeError(`these can be no attributes: ${fault}`)
}
