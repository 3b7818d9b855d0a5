/**
 * The name that a certificate gives its holder: the first DNS or URI name of it, else its common
 * name. Names that could mean several (wildcards, quoted text) count as none. Pure.
 */
import { tlsLimits } from './tls-limits.js'

const pattern = /^[A-Za-z0-9][\w.@:/-]*$/

/** Letters, digits and . _ @ : / -, beginning with one of the first two. */
export function isCertificateName(name: unknown): name is string {
  return typeof name === 'string' && name.length <= tlsLimits.nameChars && pattern.test(name)
}

/** `alternatives` as Node prints them: `DNS:a, URI:b`; `common` null or several: no such name. */
export function certificateNameOf(
  alternatives: string | undefined,
  common: unknown,
): string | null {
  // Where a name has commas or quotes of its own the text is quoted: such certificates name nobody.
  if (alternatives?.includes('"')) return null
  for (const one of alternatives?.split(', ') ?? []) {
    const name = /^(?:DNS|URI):(.*)$/s.exec(one)?.[1]
    if (name !== undefined) return isCertificateName(name) ? name : null
  }
  return isCertificateName(common) ? common : null
}
