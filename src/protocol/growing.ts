/** Reading frames about contents that still grow. */
import { limits } from '../base/limits.js'
import type { Fields } from './fields.js'

/** A position in the content. */
export function readPosition(body: Fields): { readonly bytes: number } {
  return { bytes: body.integer('bytes', 0, limits.growingSpanBytes) }
}

export function readMore(body: Fields): { readonly bytes: number; readonly isFinal: boolean } {
  return { ...readPosition(body), isFinal: body.boolean('isFinal') }
}

/** `follow` is true or absent. */
export function readFollow(body: Fields): { readonly follow?: true } {
  if (!body.has('follow')) return {}
  return body.boolean('follow') ? { follow: true } : body.refuse('follow', 'is not true')
}
