/** `fr token`: prints the token that follows from a key, or makes one. */
import { createHash } from 'node:crypto'
import { FrError } from '../../base/errors.js'
import { keyOption } from '../arguments/keys.js'
import type { Context } from '../render/context.js'
import { jsonText } from '../render/text.js'
import type { TokenCommand } from './token.js'

export async function runToken(command: TokenCommand, context: Context): Promise<number> {
  const { isNew, json } = command
  const { generateKey, httpToken } = await import('../../api/keys.js')
  const key = isNew ? generateKey() : (await keyOption(command, context)).key
  if (key === undefined) {
    const text = 'a token follows from a key: give --key-file or FR_KEY, or --new'
    throw new FrError('ERR_FR_KEY', text)
  }
  // A new one is as random as a key, which it is none.
  const token = isNew ? (key as string).trim() : httpToken(key)
  const sha256 = createHash('sha256').update(token).digest('hex')
  if (json) {
    context.stdout(`${jsonText({ event: 'token', token, sha256 })}\n`)
    return 0
  }
  context.stdout(`${token}\n`)
  if (isNew) context.stderr(`${sha256} token-${sha256.slice(0, 8)} status\n`)
  return 0
}
