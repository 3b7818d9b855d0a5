/**
 * Digests of whole files as HTTP has them (RFC 9530, and RFC 3230 for clients such as aria2 that
 * know only that). What is known anyhow is told; a SHA-256 is worked out for whoever wants one, and
 * is told to those who ask once it is there: an answer waits a moment for it, and no longer.
 */
import type { IncomingHttpHeaders } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import type { OpenContent } from '../../api/open-types.js'
import { doorLimits } from '../../base/door-limits.js'

export type DigestHeaders = Partial<Record<'repr-digest' | 'digest', string>>

/** Of what is whole, and of what comes where its digest is known. */
export async function digestHeaders(
  asked: IncomingHttpHeaders,
  content: OpenContent,
): Promise<DigestHeaders> {
  const isWanted = wantsSha256(one(asked['want-repr-digest']))
  const isWantedOld = wantsSha256Old(one(asked['want-digest']))
  const sha256 =
    isWanted || isWantedOld ? await sha256Of(content, doorLimits.digestMs) : content.knownSha256
  const blake3 = /^blake3:([0-9a-f]{64})$/.exec(content.digest ?? '')?.[1] ?? null
  const base64 = (hex: string): string => Buffer.from(hex, 'hex').toString('base64')
  const known = [
    ...(sha256 === null ? [] : [`sha-256=:${base64(sha256)}:`]),
    ...(blake3 === null ? [] : [`blake3=:${base64(blake3)}:`]),
  ]
  return {
    ...(known.length > 0 && { 'repr-digest': known.join(', ') }),
    ...(isWantedOld && sha256 !== null && { digest: `SHA-256=${base64(sha256)}` }),
  }
}

/** 64 hex digits; null: it still comes, or is not known within this time; then it is later. */
export async function sha256Of(content: OpenContent, withinMs: number): Promise<string | null> {
  const known = content.knownSha256
  if (known !== null || content.state !== 'held') return known
  const over = new AbortController()
  const { signal } = over
  const late = delay(withinMs, null, { signal, ref: false }).catch(() => null)
  try {
    return await Promise.race([content.sha256().catch(() => null), late])
  } finally {
    over.abort()
  }
}

/** `sha-256=3, sha-512=10`: a dictionary of preferences, of which 0 is a refusal. */
export function wantsSha256(header: string | null): boolean {
  return /(?:^|,)[ \t]*sha-256[ \t]*=[ \t]*(?:10|[1-9])[ \t]*(?:[,;]|$)/.test(header ?? '')
}

/** `SHA-512;q=1, SHA-256;q=0.3`, of RFC 3230. */
export function wantsSha256Old(header: string | null): boolean {
  return /(?:^|,)[ \t]*sha-256[ \t]*(?:,|$|;[ \t]*q=(?:1|0?\.0*[1-9]))/i.test(header ?? '')
}

function one(value: string | readonly string[] | undefined): string | null {
  return value === undefined ? null : String(value)
}
