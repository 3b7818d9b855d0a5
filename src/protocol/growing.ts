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

/** `follow` and `standing` are true or absent. */
export function readFollow(body: Fields): { readonly follow?: true; readonly standing?: true } {
  return {
    ...(isTrue(body, 'follow') && { follow: true }),
    ...(isTrue(body, 'standing') && { standing: true }),
  }
}

function isTrue(body: Fields, key: string): boolean {
  return body.has(key) && (body.boolean(key) || body.refuse(key, 'is not true'))
}
