/** `client.where`: which nodes of a directory match criteria. */
import { askWhere } from '../agent/directory-client.js'
import { canonical, parseCriteria } from '../base/criteria.js'
import { requireAddressText } from '../net/address.js'
import { requireText } from './checks.js'
import type { WhereNode, WhereOptions, WhereResult } from './directory-types.js'
import { asking, checkAsking, wordMs } from './inquiry.js'
import { requireOptions } from './option-names.js'

/**
 * Each node is judged by its own attributes, now. Rejects with ERR_FR_CRITERIA, ERR_FR_RIGHT and as
 * `client.list`.
 */
export async function where(criteria: string, options: WhereOptions): Promise<WhereResult> {
  requireOptions('where', options)
  checkAsking(options)
  requireText('criteria', criteria)
  const node = requireAddressText(options.via, 'via')
  const text = canonical(parseCriteria(criteria))
  const nodes: WhereNode[] = []
  const { asked, isWhole } = await asking(node, options, wordMs, ({ inquiry, ...within }) =>
    askWhere(inquiry, within, text, (found) => {
      for (const { nodeId, address, name } of found)
        nodes.push({ event: 'node', nodeId, node: address, name: name === '' ? null : name })
    }),
  )
  return { event: 'where', where: text, node, nodes, asked, isWhole }
}
