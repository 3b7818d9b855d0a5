/** Why something was refused or failed, as frames say it: a code of the error table, and text. */
import { type FrErrorCode, isFrErrorCode } from '../base/errors.js'
import type { Fields } from './fields.js'

export function readCode(body: Fields): FrErrorCode {
  const code = body.string('code', 64)
  return isFrErrorCode(code) ? code : body.refuse('code', 'is not a known error code')
}

export function readReason(body: Fields): { code: FrErrorCode; text: string } {
  return { code: readCode(body), text: body.text('text') }
}

/** A code and text, or null when all went well. */
export function readAnswer(body: Fields): { code: FrErrorCode | null; text: string } {
  return body.isNull('code') ? { code: null, text: body.text('text') } : readReason(body)
}
