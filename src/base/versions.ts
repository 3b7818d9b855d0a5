/**
 * How a version of a name is called: NAME@VERSION, where VERSION is the beginning of its digest, or
 * -1 for what had the name before the present one, -2 for what had it before that.
 */
import { FrError } from './errors.js'
import { limits } from './limits.js'

const pattern = /^(?:-[1-9]\d{0,3}|[0-9a-f]{6,128})$/
const at = 0x40

export interface VersionedName {
  readonly name: Uint8Array
  readonly version: string
}

/** Null: this is a name and nothing else. A file may have a name of this form all the same. */
export function versionedName(said: Uint8Array): VersionedName | null {
  const end = said.lastIndexOf(at)
  if (end <= 0 || said.length - end > limits.versionChars + 1) return null
  const version = String.fromCharCode(...said.subarray(end + 1))
  return pattern.test(version) ? { name: said.subarray(0, end), version } : null
}

export function isVersion(text: string): boolean {
  return pattern.test(text)
}

/** The digits of a file digest without its algorithm. */
export function digestDigits(fileDigest: string): string {
  return fileDigest.slice(fileDigest.lastIndexOf(':') + 1)
}

interface Version {
  readonly fileDigest: string
}

/**
 * The version that is meant; `kept`: the newest first. Undefined: there is none. Throws ERR_FR_NAME
 * where several begin so.
 */
export function pickVersion<T extends Version>(
  version: string,
  present: T | undefined,
  kept: readonly T[],
): T | undefined {
  if (version.startsWith('-')) return kept[Number(version.slice(1)) - 1]
  const all = present === undefined ? kept : [present, ...kept]
  const found = all.filter(({ fileDigest }) => digestDigits(fileDigest).startsWith(version))
  const digests = [...new Set(found.map(({ fileDigest }) => fileDigest))]
  if (digests.length <= 1) return found[0]
  const shown = digests.slice(0, 4).map((digest) => digestDigits(digest).slice(0, 16))
  const text = `${digests.length} versions begin with ${version}: ${shown.join(', ')}`
  throw new FrError('ERR_FR_NAME', text)
}
