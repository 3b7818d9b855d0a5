/** Whether a data directory can hold a name, given as bytes. No disk is looked at. */
import { limits } from './limits.js'

/** Directory inside a data directory that belongs to the product; no name may lead into it. */
export const hiddenDir = '.fastreplica'

/** Directory inside the hidden one for versions of files, and of trees that change all at once. */
export const versionsDir = 'versions'

const versionPattern = /^\.fastreplica\/versions\/[0-9a-f]{32}\/[1-9]\d{0,8}(?=\/|$)/
/** Longest text that the pattern takes, and a byte more. */
const versionBytesMax = 80

const slash = 0x2f
const isCaseSensitive = process.platform === 'linux'

/** Bytes of `.fastreplica/versions/KEY/N` at the beginning of a name; 0: it is in no version. */
export function versionBytes(name: Uint8Array): number {
  const text = Buffer.from(name.subarray(0, versionBytesMax)).toString('latin1')
  return versionPattern.exec(text)?.[0].length ?? 0
}

/**
 * The version that a symlink of this target leads to, where it is one of a tree that changes all
 * at once, in a directory so many levels below the data directory; null: it is none.
 */
export function versionOfLink(target: Uint8Array, depth: number): Uint8Array | null {
  const up = '../'.repeat(depth)
  if (!Buffer.from(target.subarray(0, up.length)).equals(Buffer.from(up))) return null
  const version = target.subarray(up.length)
  return version.length > 0 && versionBytes(version) === version.length ? version : null
}

/** Whether this is no name that anybody may ask for. */
export function isHidden(name: Uint8Array): boolean {
  return Buffer.from(name.subarray(0, hiddenDir.length + 1)).toString('latin1') === `${hiddenDir}/`
}

/** Why no node can store a file of this name, as the end of a sentence; null if nodes can. */
export function nameFault(name: Uint8Array): string | null {
  const fault = partsFault(name)
  if (fault !== null) return fault
  const first = (splitName(Buffer.from(name))[0] as Buffer).toString('latin1')
  const isHidden = (isCaseSensitive ? first : first.toLowerCase()) === hiddenDir
  return isHidden ? `${hiddenDir} is reserved` : null
}

/** The same of a name beneath something, where nothing is reserved. */
export function partsFault(name: Uint8Array): string | null {
  if (name.length === 0) return 'it is empty'
  if (name.length > limits.nameBytes) return `it is longer than ${limits.nameBytes} bytes`
  if (name.includes(0)) return 'it holds a NUL'
  if (name[0] === slash) return 'it is absolute'
  const components = splitName(Buffer.from(name))
  for (const component of components) {
    if (component.length === 0) return 'it has an empty component'
    if (component.equals(Buffer.from('.')) || component.equals(Buffer.from('..'))) {
      return 'it has a component that is . or ..'
    }
    if (component.length > limits.nameComponentBytes) {
      return `a component is longer than ${limits.nameComponentBytes} bytes`
    }
  }
  return null
}

/** The name of what is directly below; `above` is empty for what stands at the top. */
export function nameBelow(above: Uint8Array, last: Uint8Array): Buffer {
  // Called for each entry of a tree: Buffer.concat costs several times as much.
  const from = above.length === 0 ? 0 : above.length + 1
  const name = Buffer.allocUnsafe(from + last.length)
  name.set(above)
  if (from > 0) name[from - 1] = slash
  name.set(last, from)
  return name
}

/** Splits at slashes; empty components stay. */
export function splitName(bytes: Buffer): Buffer[] {
  const components: Buffer[] = []
  let from = 0
  for (let at = bytes.indexOf(slash); at !== -1; at = bytes.indexOf(slash, from)) {
    components.push(bytes.subarray(from, at))
    from = at + 1
  }
  components.push(bytes.subarray(from))
  return components
}

export function isSameName(name: Uint8Array, other: Uint8Array): boolean {
  return name.length === other.length && Buffer.compare(name, other) === 0
}

/** Whether this is the name of what is above, or of something in it; all are in the empty name. */
export function isWithin(name: Uint8Array, above: Uint8Array): boolean {
  if (above.length === 0) return true
  const isLonger = name.length > above.length && name[above.length] === slash
  return isSameName(isLonger ? name.subarray(0, above.length) : name, above)
}
