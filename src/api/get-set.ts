/**
 * `getSet`: what a directory lacks of a file set comes from nodes; what it has stays as it is.
 *
 * What the directory has is read, and nothing else is believed. A file is asked for by its name and
 * digest, so a node sends that content or none, also where it is an earlier version there.
 */

import { lstat, mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { SetFile as NamedFile } from '../agent/held-client.js'
import { type DigestAlgorithm, digestAlgorithms } from '../base/digests.js'
import { FrError } from '../base/errors.js'
import { asFrError } from '../base/failures.js'
import { limits } from '../base/limits.js'
import { digestDigits } from '../base/versions.js'
import { type SetFile, subtract } from '../control/holdings/file-set.js'
import { requireText } from './checks.js'
import { credentialsOf } from './credentials.js'
import { type DigestOf, digesting } from './digest.js'
import { get } from './get.js'
import { shownName } from './held-name.js'
import { requireOptions } from './option-names.js'
import type { FileSetEntry, GetSetOptions, GetSetResult, SetFileOutcome } from './types.js'
import { checkSet } from './versions.js'

interface Wanted extends SetFile {
  readonly name: Uint8Array
  readonly bytes: number
}

/**
 * Yields what became of each file, and then the sum. Throws TypeError, ERR_FR_NAME for a name that
 * cannot be. A file that fails is an outcome, not an error.
 */
export async function* getSet(
  set: readonly FileSetEntry[],
  options: GetSetOptions,
): AsyncGenerator<SetFileOutcome | GetSetResult, void, undefined> {
  requireOptions('getSet', options)
  if (options.output !== undefined) requireText('output', options.output)
  const { output = '.', signal } = options
  const wanted = checkSet(set).map(wantedOf)
  const have = await digesting((digestOf) => found(wanted, output, digestOf, signal))
  const lacks = subtract(wanted, have)
  const isLacked = new Set(lacks)
  for (const file of wanted) if (!isLacked.has(file)) yield outcomeOf(file, 'present', null)
  let [fetchedFiles, fetchedBytes] = [0, 0]
  for (let at = 0; at < lacks.length; at += limits.setGetsAtOnce) {
    const some = lacks.slice(at, at + limits.setGetsAtOnce)
    const fetched = some.map((file) => fetchOne(file, output, options))
    for (const [index, error] of (await Promise.all(fetched)).entries()) {
      signal?.throwIfAborted()
      const file = some[index] as Wanted
      if (error === null) {
        fetchedFiles++
        fetchedBytes += file.bytes
      }
      yield outcomeOf(file, error === null ? 'fetched' : 'failed', error)
    }
  }
  const bytes = wanted.reduce((sum, file) => sum + file.bytes, 0)
  const failedFiles = lacks.length - fetchedFiles
  yield {
    ...{ event: 'result', files: wanted.length, bytes },
    ...{ fetchedFiles, fetchedBytes, failedFiles },
  }
}

function wantedOf({ name, size: bytes, fileDigest: digest }: NamedFile): Wanted {
  return { key: Buffer.from(name).toString('latin1'), name, digest, bytes }
}

/** What of these is in the directory under its name: files of the right size are read. */
async function found(
  wanted: readonly Wanted[],
  output: string,
  digestOf: DigestOf,
  signal: AbortSignal | undefined,
): Promise<SetFile[]> {
  const have: SetFile[] = []
  for (const { key, name, digest, bytes } of wanted) {
    signal?.throwIfAborted()
    const path = pathOf(output, name)
    const stats = path === null ? null : await lstat(path).catch(() => null)
    const algorithm = digestAlgorithms.find((one) => digest.startsWith(one))
    if (path === null || stats?.isFile() !== true || stats.size !== bytes || !algorithm) continue
    const there = await digestOf(path, algorithm satisfies DigestAlgorithm, signal).catch(
      () => null,
    )
    signal?.throwIfAborted()
    if (there !== null) have.push({ key, digest: there })
  }
  return have
}

/** Null: bytes that are no text. */
function pathOf(output: string, name: Uint8Array): string | null {
  const { name: text, nameBase64 } = shownName(name)
  return nameBase64 === null ? join(output, text) : null
}

/** Null: it is there now. */
async function fetchOne(
  { name, digest }: Wanted,
  output: string,
  { from, engine, seal, signal, ...rest }: GetSetOptions,
): Promise<FrError | null> {
  const path = pathOf(output, name)
  if (path === null) {
    const text = 'the name is no UTF-8 text: fr get fetches it to a path'
    return new FrError('ERR_FR_NAME', text)
  }
  try {
    await mkdir(dirname(path), { recursive: true })
    const version = Buffer.from(`@${digestDigits(digest)}`)
    const passed = {
      ...{ ...credentialsOf(rest), ...(engine && { engine }) },
      ...{ ...(seal && { seal }), ...(signal && { signal }) },
    }
    const asked = { from, output: path, force: true, ...passed }
    await get(Buffer.concat([name, version]), asked).result
    return null
  } catch (error) {
    return asFrError(error, 'ERR_FR_IO')
  }
}

function outcomeOf(
  { name, bytes }: Wanted,
  status: SetFileOutcome['status'],
  error: FrError | null,
): SetFileOutcome {
  const code = error?.code ?? null
  const reason = error === null ? null : `${error.code}: ${error.message}`
  return { event: 'file', ...shownName(name), status, bytes, code, reason }
}
