/** Names of a tree for people: bytes that are no text are shown as replacement characters. */
import { cleanText } from '../../base/bytes.js'

export function nameText(name: Uint8Array): string {
  return cleanText(new TextDecoder('utf-8', { ignoreBOM: true }).decode(name))
}
