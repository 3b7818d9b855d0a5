/** The options that name the nodes of a push. */
import { Option } from 'commander'
import type { PushTarget } from '../../api/types.js'
import { parseTargets } from '../arguments/addresses.js'
import { UsageError } from '../render/units.js'
import { given, type Values } from './options.js'

/** Either the targets or the file that names them. */
export interface Targets {
  readonly to?: readonly PushTarget[]
  readonly nodesFile?: string
}

export function toOption(): Option {
  return new Option(
    '--to <list>',
    'HOST[:PORT][,HOST[:PORT]...]; may be given more than once',
  ).argParser((text: string, before: string | undefined) =>
    before === undefined ? text : `${before},${text}`,
  )
}

export const nodesOption = [
  '--nodes <file>',
  'file with one HOST[:PORT] per line, # comments, uplink= downlink= site= advertise= via=',
] as const

export function targetsOf({ to, nodes }: Values): Targets {
  if ((to === undefined) === (nodes === undefined)) {
    throw new UsageError('give either --to HOST[:PORT][,...] or --nodes FILE')
  }
  try {
    return given({ to: to === undefined ? undefined : parseTargets(to), nodesFile: nodes })
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(`--to: ${error.message}`)
    throw error
  }
}
