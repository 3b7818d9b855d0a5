/** Options of a push that say how content is coded. Misuse is a TypeError that names the option. */
import { FrError } from '../base/errors.js'
import { oneOf, requireText } from './checks.js'
import type { PushOptions } from './types.js'

export interface CodingWish {
  readonly compress: 'zstd' | 'auto' | 'off'
  /** Where the base of a patch is here, what it is called at nodes, and how its digest begins. */
  readonly base?: { readonly path: string; readonly name: string; readonly digits: string }
}

const compressions = ['zstd', 'auto', 'off'] as const

export function checkCoding(options: PushOptions): CodingWish {
  const compress = oneOf('compress', options.compress, compressions) ?? 'off'
  const { base, baseFile } = options
  if (base === undefined && baseFile === undefined) return { compress, ...refuseBoth(options) }
  requireText('base', base)
  requireText('baseFile', baseFile)
  if (base === undefined || baseFile === undefined)
    throw new TypeError('base and baseFile go together: what nodes hold, and the same content here')
  if (compress !== 'off')
    throw new TypeError('compress and base exclude each other: a patch is compressed')
  refuseBoth(options)
  const [name = '', digits = '', ...more] = base.split(/@(?=[^@/]*$)/)
  const isVersion = digits === '' || /^[0-9a-f]{6,64}$/.test(digits)
  if (name === '' || !isVersion || more.length > 0)
    throw new TypeError('base must be NAME or NAME@VERSION, the first 6 hex digits of its digest')
  return { compress, base: { path: baseFile, name, digits } }
}

/** Mirrors hold the file, not what is made of it on its way. */
function refuseBoth({ mirrors = [], compress = 'off', base }: PushOptions): object {
  if (mirrors.length > 0 && (compress !== 'off' || base !== undefined))
    throw new FrError('ERR_FR_UNSUPPORTED', 'mirrors send no coded content: compress, base')
  return {}
}

export function isCoded({ compress, base }: CodingWish): boolean {
  return compress !== 'off' || base !== undefined
}
