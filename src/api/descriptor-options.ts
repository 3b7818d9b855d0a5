/** Options of a push of descriptors. Misuse is a TypeError that names the option. */
import { basename, resolve } from 'node:path'
import { FrError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { nameBelow, nameFault } from '../base/names.js'
import { optionalInteger, requireBoolean } from './checks.js'
import type { CheckedSource } from './source.js'
import type { TreeWishes } from './tree-options.js'
import type { PushOptions } from './types.js'

/** A file, and what it is called at the nodes. */
export interface NamedPath {
  readonly path: string
  readonly name: Uint8Array
}

export interface DescriptorWish {
  readonly files: readonly NamedPath[]
  /** How many of them make a node usable. */
  readonly enough: number
}

/**
 * Undefined: what is pushed are no descriptors. Throws ERR_FR_UNSUPPORTED for options that no push
 * of descriptors has, ERR_FR_NAME for a name that no node could store.
 */
export function checkDescriptors(
  source: CheckedSource,
  options: PushOptions,
  tree: TreeWishes,
): DescriptorWish | undefined {
  requireBoolean('descriptors', options.descriptors)
  if (options.descriptors !== true) {
    if (options.enough !== undefined) throw new TypeError('enough needs descriptors')
    return undefined
  }
  const paths = pathsOf(source)
  const { descriptorsPerPush, descriptorPlaces } = limits
  if (paths.length > descriptorsPerPush)
    throw new TypeError(`descriptors must be at most ${descriptorsPerPush}, not ${paths.length}`)
  const places = paths.length * options.to.length
  if (places > descriptorPlaces)
    throw new TypeError(`descriptors times nodes must be at most ${descriptorPlaces}`)
  const enough = optionalInteger('enough', options.enough, 1, paths.length) ?? 1
  if (options.strategy === 'classic')
    throw new TypeError('strategy classic deals parts, and descriptors are dealt whole')
  if (options.shape === 'unicast')
    throw new TypeError('shape unicast has no relays to deal descriptors to')
  refuseForeign(options, tree)
  return { files: named(paths, options.as), enough }
}

function pathsOf(source: CheckedSource): readonly string[] {
  if (source.kind === 'paths') return source.paths
  if (source.kind === 'path') return [source.path]
  throw new TypeError('descriptors must be paths')
}

/** Throws for the first option that goes with something else. */
function refuseForeign(
  { relays = [], compress = 'off' }: PushOptions,
  { given, foreign }: TreeWishes,
): void {
  // Descriptors are files of their own, so nodes can keep versions of them.
  const others = foreign.filter((name) => name !== 'keep')
  const coded = compress === 'off' ? [] : ['compress']
  const [first] = [...given, ...others, ...coded, ...(relays.length > 0 ? ['relays'] : [])]
  const text = `this version pushes no descriptors with ${first}`
  if (first !== undefined) throw new FrError('ERR_FR_UNSUPPORTED', text)
}

/** Each under its own name, below `as` where that is given. */
function named(paths: readonly string[], as: PushOptions['as']): NamedPath[] {
  if (as !== undefined && typeof as !== 'string' && !(as instanceof Uint8Array))
    throw new TypeError('as must be a string or a Uint8Array')
  const utf8 = new TextEncoder()
  const directory = typeof as === 'string' ? utf8.encode(as) : (as ?? new Uint8Array())
  const seen = new Set<string>()
  return paths.map((path) => {
    const last = basename(resolve(path))
    if (seen.has(last)) throw new TypeError(`descriptors has two files of the name ${last}`)
    seen.add(last)
    const name = Uint8Array.from(nameBelow(directory, utf8.encode(last)))
    const fault = nameFault(name)
    if (fault === null) return { path, name }
    throw new FrError('ERR_FR_NAME', `${JSON.stringify(last)} cannot be stored: ${fault}`)
  })
}
