/** Why a command is refused, as its answer says it. */
import { FrError, type FrErrorCode } from '../../base/errors.js'
import { problemOf } from '../problem.js'
import { lineText } from './paths.js'

export class FtpError extends Error {
  readonly reply: number

  /** `text`: in bytes (latin1), a line. */
  constructor(reply: number, text: string) {
    super(text)
    this.reply = reply
  }
}

/** Codes of what is for a while, or is nobody's fault who asks; all others are 550. */
const replyOf: Partial<Record<FrErrorCode, number>> = {
  ERR_FR_AUTH: 530,
  ERR_FR_NAME: 553,
  ERR_FR_NO_SPACE: 452,
  ERR_FR_LIMIT: 450,
  ERR_FR_BUSY: 450,
  ERR_FR_TIMEOUT: 451,
  ERR_FR_INTERNAL: 451,
  ERR_FR_IO: 451,
  ERR_FR_CATALOGUE: 451,
  ERR_FR_CLOSED: 421,
  ERR_FR_NODE_LOST: 426,
}

/** Of whatever was thrown. A defect says no more than that it is one: its text is for the log. */
export function refusalOf(error: unknown): FtpError {
  if (error instanceof FtpError) return error
  const { code, detail } = problemOf(error)
  return new FtpError(replyOf[code] ?? 550, lineText(`${code}: ${detail}`))
}

/** Whether it is one that nobody has foreseen. */
export function isDefect(error: unknown): boolean {
  return !(error instanceof FtpError || error instanceof FrError)
}
