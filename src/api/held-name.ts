/** Names of files at nodes, as callers give them. */
import { FrError } from '../base/errors.js'
import { globFault } from '../base/glob.js'
import { nameFault } from '../base/names.js'

export function bytesOf(option: string, value: string | Uint8Array): Uint8Array {
  if (typeof value === 'string') return new TextEncoder().encode(value)
  if (value instanceof Uint8Array) return value
  throw new TypeError(`${option} must be a string or a Uint8Array`)
}

/** Throws ERR_FR_NAME for what no node can hold. */
export function checkHeldName(name: string | Uint8Array, option: string): Uint8Array {
  const bytes = bytesOf(option, name)
  const fault = nameFault(bytes)
  if (fault === null) return bytes
  const shown = JSON.stringify(Buffer.from(bytes).toString('utf8'))
  throw new FrError('ERR_FR_NAME', `no node holds ${shown}: ${fault}`)
}

/** Throws TypeError for what is no pattern. */
export function checkGlob(glob: string | Uint8Array): Uint8Array {
  const bytes = bytesOf('glob', glob)
  const fault = globFault(bytes)
  if (fault !== null) throw new TypeError(`glob is no pattern: ${fault}`)
  return bytes
}
