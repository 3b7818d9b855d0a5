/** Commands about several nodes: a list of them, or the file that names them. */
import { parseAddresses } from '../arguments/addresses.js'
import { UsageError } from '../render/units.js'
import { given, type Values } from './options.js'

/** Either the addresses or the file that names them. */
export interface Several {
  readonly addresses?: readonly string[]
  readonly nodesFile?: string
  readonly keyFile?: string
}

export const severalUsage = ['[host[:port][,...]]', 'the nodes'] as const

/** Throws UsageError. */
export function severalOf(list: string | undefined, { nodes, keyFile }: Values): Several {
  if ((list === undefined) === (nodes === undefined))
    throw new UsageError('give either HOST[:PORT][,...] or --nodes FILE')
  const addresses = list === undefined ? undefined : parseAddresses(list)
  return given({
    addresses,
    nodesFile: nodes as string | undefined,
    keyFile: keyFile as string | undefined,
  })
}
