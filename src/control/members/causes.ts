/**
 * Why something ended, where several ends were seen: a process that fails closes all its
 * connections, and whichever of them is noticed first says the least.
 */
import type { Failure, FrErrorCode } from '../../base/errors.js'

/** At the origin: a control link that just ends says less than a feed that was refused before. */
export function causeOf(link: Failure, feed: Failure | undefined): Failure {
  const saysMore = feed !== undefined && feed.code !== 'ERR_FR_NODE_LOST'
  return link.code === 'ERR_FR_NODE_LOST' && saysMore ? feed : link
}

/** At the origin: the data connection to a node has ended. */
export function brokenFeed(code: FrErrorCode | null, text: string | null): Failure {
  if (code === 'ERR_FR_SOURCE_CHANGED') return { code, text: 'it changed while it was sent' }
  return { code: code ?? 'ERR_FR_NODE_LOST', text: text ?? 'the data connection broke' }
}

/**
 * At a node: the control link to the origin is gone. That it broke says nothing about the origin
 * but that it is gone; a violation does.
 */
export function lostOrigin(code: FrErrorCode, text: string): Failure {
  if (code !== 'ERR_FR_NODE_LOST') return { code, text }
  return { code: 'ERR_FR_ORIGIN_LOST', text: `the origin is gone: ${text}` }
}

/** At a node: what came on the feed from the origin was not what may come there. */
export function refusedFeed(text: string | null): string {
  const why = text === null ? '' : `: ${text}`
  return `the feed from the origin was refused${why}`
}

/** The newest text speaks for its code: figures in it may differ from one attempt to the next. */
export function reasonOf({ code, text }: Failure, before: Failure | undefined): string {
  const said = `${code}: ${text}`
  if (before === undefined || before.code === code) return said
  return `${said} (before: ${before.code}: ${before.text})`
}
