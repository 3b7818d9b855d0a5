/** Names of files at nodes, as callers give them. */
import { base64urlOf, textOf } from '../base/bytes.js'
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

export function shownName(name: Uint8Array): { name: string; nameBase64: string | null } {
  const text = textOf(name)
  if (text !== null) return { name: text, nameBase64: null }
  return { name: Buffer.from(name).toString('utf8'), nameBase64: base64urlOf(name) }
}

/** Throws TypeError for what is no pattern. */
export function checkGlob(glob: string | Uint8Array): Uint8Array {
  const bytes = bytesOf('glob', glob)
  const fault = globFault(bytes)
  if (fault !== null) throw new TypeError(`glob is no pattern: ${fault}`)
  return bytes
}
