/**
 * What a request to a model hub asks for, by its path, as `huggingface_hub` and `@huggingface/hub`
 * ask. No I/O, and nothing that was received is trusted.
 */

export interface HubAsked {
  readonly what: 'info' | 'tree' | 'paths' | 'file'
  /** `ORG/NAME`, or `NAME`. */
  readonly model: string
  readonly revision: string
  /** Of a file, or of a directory of a tree; empty: the model itself. */
  readonly path: string
}

const apiPath = '/api/models/'
const part = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_-])?$/
const ofApi: Readonly<Record<string, HubAsked['what']>> = {
  revision: 'info',
  tree: 'tree',
  'paths-info': 'paths',
}
const ofFiles: Readonly<Record<string, HubAsked['what']>> = { resolve: 'file', raw: 'file' }

/** Undefined: it is for somebody else; null: the hub has nothing of this name. */
export function hubAsked(target: string): HubAsked | null | undefined {
  const [path = ''] = target.split(/[?#]/, 1)
  const isApi = path.startsWith(apiPath)
  const words = path.slice(isApi ? apiPath.length : 1).split('/')
  const verbs = isApi ? ofApi : ofFiles
  const at = [1, 2].find((place) => Object.hasOwn(verbs, words[place] ?? ''))
  if (at === undefined && (!isApi || words.length > 2)) return isApi ? null : undefined
  const model = words.slice(0, at).map(decoded)
  if (!model.every((word) => word !== null && part.test(word))) return null
  const what = at === undefined ? 'info' : (verbs[words[at] as string] as HubAsked['what'])
  const [revision = null, ...rest] = words.slice((at ?? words.length) + 1).map(decoded)
  const isBare = at === undefined
  if (!isBare && (revision === null || revision === '')) return null
  if (rest.includes(null) || (what === 'file' && rest.length === 0)) return null
  // A directory may be asked for with a slash at its end.
  if (what === 'tree' && rest.at(-1) === '') rest.pop()
  const asked = { model: model.join('/'), revision: revision ?? 'main', path: rest.join('/') }
  return { what, ...asked }
}

/** What is put into a name: neither a way up nor a NUL. */
export function isPlainPath(path: string): boolean {
  return path.split('/').every((word) => !/^\.{0,2}$/.test(word)) && !path.includes('\0')
}

function decoded(word: string): string | null {
  try {
    return decodeURIComponent(word)
  } catch {
    return null
  }
}
