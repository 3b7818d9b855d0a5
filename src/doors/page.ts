/**
 * The page of a door, at `/`: files of the package (dist/page, made of src/page) that anybody may
 * have, because they say nothing of the node. What the page shows it asks of the control API, with
 * the rights of whoever looks at it.
 *
 * Nothing on it may come from anywhere else or be run from a text: the policy lets in the files
 * named here alone, and browsers that know trusted types make no HTML of any text.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Behind, Mount } from './mount.js'
import { notRead, sendText } from './problem.js'

/** From src/doors, dist/doors and dist/cli, where this module is joined with others. */
const folder = new URL('../../dist/page/', import.meta.url)

const types = {
  'page.js': 'text/javascript; charset=utf-8',
  'page.css': 'text/css; charset=utf-8',
  'icon.svg': 'image/svg+xml',
} as const

export const pagePolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ')

const shared = {
  'content-security-policy': pagePolicy,
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
}

interface File {
  readonly body: string
  readonly type: string
  readonly version: string
}

export function pageMount(behind: Behind): Mount {
  const kind = 'node' in behind ? 'node' : 'master'
  let files: ReadonlyMap<string, File> | undefined
  return {
    handle(request, response) {
      const [path = '', query] = (request.url ?? '').split('?', 2)
      if (path !== '/' && !path.startsWith('/page/')) return false
      files ??= readFiles(kind)
      const file = files.get(path)
      if (file === undefined) return false
      if (request.method !== 'GET' && request.method !== 'HEAD') throw notRead()
      const tag = `"${file.version}"`
      const isNamed = query === `v=${file.version}`
      const headers = {
        ...shared,
        etag: tag,
        'cache-control': isNamed ? 'public, max-age=31536000, immutable' : 'no-cache',
      }
      if (request.headers['if-none-match'] === tag) response.writeHead(304, headers).end()
      else sendText(response, 200, file.body, { ...headers, 'content-type': file.type })
      return true
    },
  }
}

/** By their paths. The page names the others by what is in them, so that browsers may keep them. */
function readFiles(kind: 'node' | 'master'): Map<string, File> {
  const files = new Map<string, File>()
  let page = read('index.html').replace('data-behind=""', `data-behind="${kind}"`)
  for (const [name, type] of Object.entries(types)) {
    const body = read(name)
    const version = versionOf(body)
    files.set(`/page/${name}`, { body, type, version })
    page = page.replaceAll(`/page/${name}"`, `/page/${name}?v=${version}"`)
  }
  files.set('/', { body: page, type: 'text/html; charset=utf-8', version: versionOf(page) })
  return files
}

function read(name: string): string {
  return readFileSync(new URL(name, folder), 'utf8')
}

function versionOf(body: string): string {
  return createHash('sha256').update(body).digest('base64url').slice(0, 22)
}
