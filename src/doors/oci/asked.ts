/**
 * What a request to a registry asks for, by its path (OCI Distribution Specification 1.1,
 * "Endpoints"). No I/O, and nothing that was received is trusted.
 */

export const registryPath = '/v2/'

export type RegistryAsked =
  | { readonly what: 'base' }
  | { readonly what: 'tags'; readonly name: string }
  | { readonly what: 'manifest' | 'blob' | 'referrers'; readonly name: string; readonly of: string }

const part = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*'
const namePattern = new RegExp(`^${part}(?:/${part})*$`)
const nameChars = 255
const tagPattern = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/
const digestPattern = /^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]{1,256}$/
const endpoints = /^(.+)\/(manifests|blobs|referrers)\/([^/]+)$/
const kinds = { manifests: 'manifest', blobs: 'blob', referrers: 'referrers' } as const

/** Null: a registry has nothing at this path. `path` is without a query. */
export function registryAsked(path: string): RegistryAsked | null {
  const text = decoded(path.slice(registryPath.length))
  if (!path.startsWith(registryPath) || text === null) return null
  if (text === '') return { what: 'base' }
  const tags = /^(.+)\/tags\/list$/.exec(text)?.[1]
  if (tags !== undefined) return { what: 'tags', name: tags }
  const [, name, kind, of] = endpoints.exec(text) ?? []
  if (name === undefined || kind === undefined || of === undefined) return null
  return { what: kinds[kind as keyof typeof kinds], name, of }
}

export function isRepositoryName(name: string): boolean {
  return name.length <= nameChars && namePattern.test(name)
}

export function isTag(text: string): boolean {
  return tagPattern.test(text)
}

/** Of any algorithm. */
export function isDigest(text: string): boolean {
  return digestPattern.test(text)
}

/** 64 hex digits of a SHA-256; null: it is none. */
export function sha256In(digest: string): string | null {
  return /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1] ?? null
}

function decoded(path: string): string | null {
  try {
    return decodeURIComponent(path)
  } catch {
    return null
  }
}
