/** Names of what nodes hold, as they are written on the command line. */
import { argumentBytes } from './sources.js'

const wild = /[*?]/

export interface HeldName {
  /** As it is, without slashes at the end. */
  readonly name: string | Uint8Array
  /** It may be meant as a pattern, where nothing has this name. */
  readonly isPattern: boolean
}

/** A slash at the end says that a directory is meant, and changes nothing. */
export function heldName(text: string): HeldName {
  const cut = /(?<=.)\/+$/.exec(text)?.[0].length ?? 0
  const bytes = argumentBytes(text)
  const name = bytes?.subarray(0, bytes.length - cut) ?? text.slice(0, text.length - cut)
  return { name, isPattern: wild.test(text) }
}

/** A name with a slash at the end stands for what is in it. */
export function heldGlob(text: string): string | Uint8Array {
  const rest = text.endsWith('/') ? '**' : ''
  const bytes = argumentBytes(text)
  return bytes === undefined ? text + rest : Buffer.concat([bytes, Buffer.from(rest)])
}
