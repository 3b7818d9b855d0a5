/** Options of a push that are about trees. Misuse is a TypeError that names the option. */
import { FrError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { rulesBytes } from '../base/tree-rules.js'
import { requireBoolean } from './checks.js'
import type { PushOptions } from './types.js'

export interface TreeWishes {
  /** Rules of gitignore(5). */
  readonly include: readonly string[]
  readonly exclude: readonly string[]
  readonly deletes: boolean
  readonly isAtomic: boolean
  readonly owner: boolean
  readonly xattrs: boolean
  readonly acls: boolean
  readonly sha256: boolean
  /** The options of trees that were given, by name. */
  readonly given: readonly string[]
  /** The options that were given and that no push of a tree has, by name. */
  readonly foreign: readonly string[]
}

const facts = ['delete', 'atomic', 'owner', 'xattrs', 'acls', 'sha256'] as const
const rules = ['include', 'exclude'] as const
const foreign = ['allowAdd', 'mirrors', 'spareOrigin', 'base', 'commit'] as const

export function checkTreeWishes(options: PushOptions): TreeWishes {
  for (const name of facts) requireBoolean(name, options[name])
  const isGiven = (name: keyof PushOptions): boolean => {
    const value = options[name]
    return (
      value !== undefined &&
      value !== false &&
      value !== 'off' &&
      !(Array.isArray(value) && value.length === 0)
    )
  }
  const include = checkRules('include', options.include)
  const exclude = checkRules('exclude', options.exclude)
  const { treeRules, treeRuleBytes } = limits
  const isTooMuch = rulesBytes({ include, exclude }) > treeRuleBytes
  if (isTooMuch || include.length + exclude.length > treeRules)
    throw new TypeError(`include and exclude: over ${treeRules} rules, or ${treeRuleBytes} bytes`)
  return {
    include,
    exclude,
    deletes: options.delete ?? false,
    isAtomic: options.atomic ?? false,
    owner: options.owner ?? false,
    xattrs: options.xattrs ?? false,
    acls: options.acls ?? false,
    sha256: options.sha256 ?? false,
    given: [...rules, ...facts].filter(isGiven),
    foreign: [...foreign, ...(options.atomic ? [] : (['keep'] as const))].filter(isGiven),
  }
}

function checkRules(option: 'include' | 'exclude', given: readonly string[] = []): string[] {
  if (!Array.isArray(given)) throw new TypeError(`${option} must be a list of patterns`)
  return given.map((rule, i) => {
    if (typeof rule !== 'string' || rule === '' || /[\0\n]/.test(rule))
      throw new TypeError(`${option}[${i}] must be a pattern, without line breaks`)
    return rule
  })
}

/** Throws ERR_FR_UNSUPPORTED: what is pushed is one file. */
export function refuseTreeWishes({ given: [first] }: TreeWishes): void {
  const text = `${first} is for directories, and this is a file`
  if (first !== undefined) throw new FrError('ERR_FR_UNSUPPORTED', text)
}

/** Throws ERR_FR_UNSUPPORTED: what is pushed is a tree. */
export function refuseFileWishes({ foreign: [first] }: TreeWishes): void {
  if (first !== undefined)
    throw new FrError('ERR_FR_UNSUPPORTED', `this version pushes no directories with ${first}`)
}
