/** What is in a directory of a node's files: as JSON for programs, as a page for people. */
import type { ServerResponse } from 'node:http'
import { client } from '../../api/index.js'
import type { Credentials, HeldFile } from '../../api/types.js'
import { doorLimits } from '../../base/door-limits.js'
import { globOf } from '../../base/glob.js'
import { sendText } from '../problem.js'
import { pathOf } from './semantics.js'

export interface Entry {
  /** A directory ends with a slash. */
  readonly name: string
  readonly path: string
  /** Null: of a directory, or of what is still written. */
  readonly bytes: number | null
  readonly digest: string | null
  readonly state: HeldFile['state']
}

export interface Listing {
  readonly entries: readonly Entry[]
  /** False: there are more, or there may be. */
  readonly isWhole: boolean
}

/** Entries that a listing has at most, and names that are seen for it. */
export interface ListingBounds {
  readonly rows: number
  readonly names: number
}

const ownBounds: ListingBounds = { rows: doorLimits.rows, names: doorLimits.rowsMax }

/** `directory`: without a slash at its end; empty: the root. `isListed`: names that are told. */
export async function listingOf(
  node: string,
  directory: Uint8Array,
  options: Credentials & { readonly signal: AbortSignal },
  isListed: (name: Uint8Array) => boolean,
  bounds = ownBounds,
): Promise<Listing> {
  const isRoot = directory.length === 0
  const glob = isRoot ? {} : { glob: Buffer.concat([globOf(directory), Buffer.from('/**')]) }
  const found = new Map<string, Entry>()
  let seen = 0
  let isWhole = true
  for await (const file of client.list(node, { ...options, ...glob })) {
    isWhole = ++seen <= bounds.names && found.size < bounds.rows
    if (!isWhole) break
    const name = bytesOf(file)
    if (file.state === 'missing' || file.state === 'changed' || !isListed(name)) continue
    const rest = Buffer.from(isRoot ? name : name.subarray(directory.length + 1))
    if (rest.length === 0) continue
    const slash = rest.indexOf('/')
    const isDirectory = slash !== -1 || file.kind === 'tree' || file.kind === 'directory'
    const own = slash === -1 ? rest : rest.subarray(0, slash)
    const path = `${pathOf(own)}${isDirectory ? '/' : ''}`
    if (found.has(path)) continue
    const shown = `${own.toString('utf8')}${isDirectory ? '/' : ''}`
    const bytes = isDirectory || file.state === 'growing' ? null : file.bytes
    const digest = isDirectory ? null : file.digest
    found.set(path, { name: shown, path, bytes, digest, state: isDirectory ? 'held' : file.state })
  }
  const entries = [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1))
  return { entries, isWhole }
}

function bytesOf({ name, nameBase64 }: HeldFile): Uint8Array {
  return nameBase64 === null ? Buffer.from(name) : Buffer.from(nameBase64, 'base64url')
}

export function sendListing(
  response: ServerResponse,
  directory: Uint8Array,
  listing: Listing,
): void {
  const { accept = '' } = response.req.headers
  const isPage = /\btext\/html\b/i.test(accept)
  const body = isPage ? pageOf(directory, listing) : `${JSON.stringify(listing)}\n`
  sendText(response, 200, body, {
    'content-type': isPage ? 'text/html; charset=utf-8' : 'application/json',
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
    'cache-control': 'no-cache',
    vary: 'accept',
  })
}

function pageOf(directory: Uint8Array, { entries, isWhole }: Listing): string {
  const title = `/${Buffer.from(directory).toString('utf8')}`
  const up = directory.length === 0 ? '' : '<tr><td><a href="../">../</a></td><td></td></tr>\n'
  const rows = entries.map(({ name, path, bytes }) => {
    // Else what stands before a colon would be taken for a scheme.
    const link = `<a href="./${escaped(path)}">${escaped(name)}</a>`
    return `<tr><td>${link}</td><td>${bytes === null ? '' : bytes}</td></tr>\n`
  })
  const more = isWhole ? '' : '<p>There are more.</p>\n'
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escaped(title)}</title>
<style>body{font-family:sans-serif}td{padding:0 2em 0 0}td+td{text-align:right}</style></head>
<body><h1>${escaped(title)}</h1>
<table>
${up}${rows.join('')}</table>
${more}</body></html>
`
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (char) => entities[char] ?? char)
}
