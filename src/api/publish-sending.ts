/**
 * How what is published gets to the node that holds it first.
 *
 * A file is analysed while it is sent. A stream is written to a file without a name, which is
 * followed: what has come is sent, signed and verified block by block at the node while the rest
 * comes, and analysed once all of it is there. One that is short is sent as a file.
 */
import { open } from 'node:fs/promises'
import { askAboutName } from '../agent/publish-client.js'
import type { Division } from '../base/division.js'
import { FrError, isFrErrorCode } from '../base/errors.js'
import { ReadAhead } from '../store/growing/read-ahead.js'
import { descriptorPath, fillFrom, openUnnamed } from '../store/spool.js'
import { divisionOfFile } from './analysis.js'
import { credentialsOf } from './credentials.js'
import { digestFile } from './digest.js'
import { asking, pageMs } from './inquiry.js'
import type { PublishOptions } from './publish-types.js'
import { push, pushSpool } from './push.js'

export interface Sending {
  readonly options: PublishOptions
  readonly node: string
  readonly name: string
  /** Who may have it: criteria in canonical form. */
  readonly only: string
}

export interface Sent {
  readonly digest: string
  readonly division: Division
}

export async function sendFile(path: string, sending: Sending): Promise<Sent> {
  const file = await open(path).catch((error: Error) => {
    throw new FrError('ERR_FR_SOURCE', error.message, { cause: error, path })
  })
  const over = new AbortController()
  try {
    const before = await file.stat({ bigint: true })
    if (!before.isFile())
      throw new FrError('ERR_FR_SOURCE', 'only a regular file can be published', { path })
    const size = Number(before.size)
    const signal = either(over, sending)
    const sent = async (): Promise<string> =>
      (await digestThere(path, size, sending)) ?? pushed(path, sending, { signal })
    const [digest, division] = await Promise.all([sent(), divisionOfFile(file, size, signal)])
    const after = await file.stat({ bigint: true })
    if (after.mtimeNs !== before.mtimeNs || after.size !== before.size)
      throw new FrError('ERR_FR_SOURCE_CHANGED', undefined, { path })
    return { digest, division }
  } finally {
    over.abort()
    await file.close()
  }
}

export async function sendStream(
  chunks: AsyncIterable<Uint8Array | string>,
  sending: Sending,
): Promise<Sent> {
  const { writer, reader, directory } = await openUnnamed()
  const over = new AbortController()
  let filled: Promise<void> | undefined
  try {
    const signal = either(over, sending)
    const path = descriptorPath(reader.fd)
    const ahead = new ReadAhead(chunks)
    const isShort = await ahead.isShort()
    filled = fillFrom(ahead, { writer, directory }, signal, () => {})
    if (isShort) await filled
    if (isShort) return await sendFile(path, sending)
    const digest = await pushed(path, sending, { signal, filled })
    const { size } = await reader.stat()
    return { digest, division: await divisionOfFile(reader, size, signal) }
  } finally {
    over.abort()
    await filled?.catch(() => {})
    await writer.close()
    await reader.close()
  }
}

/**
 * Resolves to the digest of what the node holds then. `filled`: the file is final when this
 * resolves, and what it rejects with ends the push.
 */
async function pushed(
  path: string,
  { options, node, name, only }: Sending,
  { signal, filled }: { readonly signal: AbortSignal; readonly filled?: Promise<void> },
): Promise<string> {
  const { seal, logger, progress } = options
  const given = { ...credentialsOf(options), ...(seal && { seal }) }
  const wish = { to: [node], as: name, only, digest: 'blake3', signal } as const
  const all = { ...wish, ...given, ...(logger && { logger }) }
  const transfer = filled === undefined ? push(path, all) : pushSpool(path, all)
  if (progress !== undefined) transfer.on('progress', progress)
  filled?.then(
    () => transfer.finish(),
    (error: unknown) => transfer.cancel(error),
  )
  const { nodes } = await transfer.result
  const [outcome] = nodes
  if (outcome?.status !== 'complete' || outcome.digest === null) throw failureOf(outcome, node)
  return outcome.digest
}

/** The digest of the file where the node holds it for the same nodes already; null: it does not. */
async function digestThere(
  path: string,
  size: number,
  { options, node, name, only }: Sending,
): Promise<string | null> {
  const { signal } = options
  const asked = { ...credentialsOf(options), ...(signal && { signal }) }
  const { held } = await asking(node, asked, pageMs, ({ inquiry, ...within }) =>
    askAboutName(inquiry, within, name),
  )
  if (held?.only !== only || held.size !== size) return null
  const digest = await digestFile(path, { digest: 'blake3', ...(signal && { signal }) })
  return digest === held.fileDigest ? digest : null
}

function failureOf(
  outcome: { readonly code: string | null; readonly reason: string | null } | undefined,
  node: string,
): FrError {
  const { code, reason } = outcome ?? { code: null, reason: null }
  const known = code !== null && isFrErrorCode(code) ? code : 'ERR_FR_INTERNAL'
  return new FrError(known, reason?.replace(/^ERR_FR_[A-Z_]+: /, ''), { node })
}

function either(over: AbortController, { options }: Sending): AbortSignal {
  const { signal } = options
  return signal === undefined ? over.signal : AbortSignal.any([over.signal, signal])
}
