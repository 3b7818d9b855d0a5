/**
 * What others than those that a published content is for may do with it (`fr publish --allow`):
 *
 *     rights = "get" [ criteria ]
 *
 * `get`: they may have the content, fetched, copied or pushed to them, and nobody has it sent to
 * them. Without criteria everybody who has the key may: who is met has an id.
 *
 * Both sets together are the criteria of the content, which its author signs and every holder
 * compares with whom it is about to send bytes to. So there is no other right here: what no holder
 * can refuse, such as what becomes of bytes at somebody who has them, is nothing to grant.
 */
import { canonical, parseCriteria } from './criteria.js'
import { FrError } from './errors.js'

/** Criteria in canonical form of who may get it. Throws ERR_FR_CRITERIA. */
export function allowedBy(rights: string): string {
  const [, word = '', criteria = ''] = /^\s*(\S*)\s*(.*)$/s.exec(rights) ?? []
  if (word !== 'get') {
    const text = `${JSON.stringify(rights)} is no right to a content: get, get CRITERIA`
    throw new FrError('ERR_FR_CRITERIA', text)
  }
  return canonical(parseCriteria(criteria === '' ? 'id' : criteria))
}

/**
 * Criteria in canonical form of who may have a content that is for `where`. Throws ERR_FR_CRITERIA
 * where both together are too long.
 */
export function mayHave(where: string, allowed: string | null): string {
  return allowed === null ? where : canonical(parseCriteria(`(${where}) || (${allowed})`))
}
