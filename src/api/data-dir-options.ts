/** Checks options about data directories, and what a process does with them. */
import { isAnyHost, parseAddress } from '../base/addresses.js'
import { FrError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { oneOf, requireText } from './checks.js'
import type { NodeOptions, NodeRole } from './types.js'

export const placements = ['whole', 'striped'] as const

/** Throws TypeError, or ERR_FR_UNSUPPORTED. */
export function checkDataDirs({ dataDir }: NodeOptions): readonly string[] {
  const dataDirs: readonly unknown[] = Array.isArray(dataDir) ? dataDir : [dataDir]
  if (dataDirs.length === 0) throw new TypeError('dataDir must name a directory')
  if (dataDirs.length > limits.disksPerNode)
    throw new TypeError(`dataDir must name at most ${limits.disksPerNode} directories`)
  const checked = dataDirs.map((path, at): string => {
    requireText(Array.isArray(dataDir) ? `dataDir[${at}]` : 'dataDir', path)
    return path as string
  })
  if (new Set(checked).size < checked.length) throw new TypeError('dataDir names a directory twice')
  return checked
}

const sharedPrefix = 'shared:'

/**
 * DIR of `shared:DIR`; undefined: each directory is of this node alone. Throws TypeError, or
 * ERR_FR_UNSUPPORTED for what such a node cannot do.
 */
export function checkShared(dataDirs: readonly string[], options: NodeOptions): string | undefined {
  const shared = dataDirs.find((path) => path.startsWith(sharedPrefix))
  if (shared === undefined) return undefined
  if (shared === sharedPrefix) throw new TypeError('dataDir shared:DIR names no directory')
  const { placement, keep = 0 } = options
  const [what] = [
    ...(dataDirs.length > 1 ? ['beside other data directories'] : []),
    ...(placement === 'striped' ? ['with placement striped'] : []),
    ...(keep > 0 ? ['with keep'] : []),
    ...(['adopt', 'readOnly'] as const).flatMap((name) => (options[name] ? `with ${name}` : [])),
  ]
  if (what === undefined) return shared.slice(sharedPrefix.length)
  throw new FrError('ERR_FR_UNSUPPORTED', `this version has no shared data directory ${what}`)
}

const roles = ['control', 'distribute', 'serve'] as const

/** Undefined: this process is all of the node. */
export function checkRoles(options: NodeOptions): readonly NodeRole[] | undefined {
  const given: unknown = options.roles
  if (given === undefined) return undefined
  if (!Array.isArray(given) || given.length === 0) throw new TypeError('roles must name a role')
  const found = new Set(given.map((role, at) => oneOf(`roles[${at}]`, role, roles) as NodeRole))
  if (found.size === roles.length) return undefined
  if (![options.dataDir].flat().some((path) => path?.startsWith(sharedPrefix)))
    throw new TypeError('roles need a dataDir shared:DIR, which all processes of the node use')
  if (found.has('control') && found.has('distribute'))
    throw new TypeError('roles control and distribute are of two processes, or all roles of one')
  const listen = parseAddress(options.listen, 0)
  const isReached = options.advertise !== undefined || !isAnyHost(listen?.host ?? '')
  if (!isReached && [...found].join() !== 'serve')
    throw new TypeError('listen names no address that others could dial: advertise must')
  return [...found]
}
