/**
 * Versions of files and trees at nodes: `client.versions`, `client.rollback`; and file sets:
 * `client.lacking`. What holds of all calls about what nodes hold is said in client.ts.
 */
import {
  askToRollBack,
  askWhatLacks,
  type FoundVersions,
  listVersions,
  type SetFile,
} from '../agent/held-client.js'
import { bytesOfBase64url } from '../base/bytes.js'
import { limits } from '../base/limits.js'
import { isVersion } from '../base/versions.js'
import { requireAddressText } from '../net/address.js'
import { checkGlob, checkHeldName, shownName } from './held-name.js'
import { asking, askingEach, checkAsking, pageMs, wordMs } from './inquiry.js'
import { requireOptions } from './option-names.js'
import type {
  FileSetEntry,
  FileVersion,
  Lacking,
  LackingOptions,
  RollbackOptions,
  RollbackResult,
  VersionsOptions,
} from './types.js'

/**
 * Versions of files at the node, and then of trees that change all at once, name by name, the
 * newest first.
 */
export function versions(
  address: string,
  options: VersionsOptions = {},
): AsyncGenerator<FileVersion, void, undefined> {
  const node = requireAddressText(address, 'address')
  requireOptions('versions', options)
  checkAsking(options)
  const glob = options.glob === undefined ? null : checkGlob(options.glob)
  return askingEach(node, options, pageMs, async function* ({ inquiry, ...within }) {
    for await (const found of listVersions(inquiry, within, glob)) yield* versionsOf(node, found)
  })
}

function* versionsOf(node: string, found: FoundVersions): Generator<FileVersion> {
  const secondsSince = (atMs: number): number => Math.max(0, (found.nowMs - atMs) / 1000)
  const shown = shownName(found.name)
  for (const version of found.versions) {
    const { back, state, fileDigest, size, diskBytes, author, contentId } = version
    const { kind, publishedAtMs, keptAtMs } = version
    yield {
      ...{ event: 'version', node, ...shown, kind, back, isPresent: back === 0, state },
      ...{ digest: fileDigest, bytes: size, diskBytes, author, contentId },
      ageSeconds: secondsSince(publishedAtMs),
      keptSeconds: keptAtMs === null ? null : secondsSince(keptAtMs),
    }
  }
}

/**
 * Gives a name at the node to an earlier version of it; what has the name is kept in its place.
 * Rejects with ERR_FR_NOT_HELD where the node keeps no such version, ERR_FR_BUSY while a transfer
 * writes the name, ERR_FR_DIGEST where the version is not what it was, ERR_FR_NAME where several
 * versions are meant.
 */
export async function rollback(
  address: string,
  name: string | Uint8Array,
  options: RollbackOptions = {},
): Promise<RollbackResult> {
  const node = requireAddressText(address, 'address')
  requireOptions('rollback', options)
  const { version = '-1' } = options
  if (typeof version !== 'string' || !isVersion(version))
    throw new TypeError('version must be -1, -2, .. or at least 6 hex digits of a digest')
  const bytes = checkHeldName(name, 'name')
  const done = await asking(node, options, wordMs, ({ inquiry, ...within }) =>
    askToRollBack(inquiry, within, bytes, version),
  )
  const { fileDigest: digest, before } = done
  return { event: 'rolledBack', node, ...shownName(bytes), digest, bytes: done.bytes, before }
}

/**
 * What each of these nodes lacks of a file set, by its records. Rejects with what the first node
 * that could not be asked failed by.
 */
export async function lacking(
  addresses: readonly string[],
  set: readonly FileSetEntry[],
  options: LackingOptions = {},
): Promise<Lacking[]> {
  if (!Array.isArray(addresses)) throw new TypeError('addresses must be a list of HOST:PORT')
  const nodes = addresses.map((address, at) => requireAddressText(address, `addresses[${at}]`))
  requireOptions('lacking', options)
  const entries = checkSet(set)
  return Promise.all(
    nodes.map(async (node) => {
      const found = await asking(node, options, pageMs, ({ inquiry, ...within }) =>
        askWhatLacks(inquiry, within, entries),
      )
      const files = found.map(({ index, has }) => {
        const { fileDigest: digest, size: bytes, name } = entries[index] as SetFile
        return { ...shownName(name), digest, bytes, has }
      })
      return { node, files }
    }),
  )
}

const digestPattern = /^(?:blake3|sha256|xxh64)[a-z0-9/-]*:[0-9a-f]{16,64}$/

/** Throws TypeError, or ERR_FR_NAME for what no node can hold. */
export function checkSet(set: readonly FileSetEntry[]): SetFile[] {
  if (!Array.isArray(set)) throw new TypeError('set must be a list of files')
  if (set.length > limits.setFiles)
    throw new TypeError(`set has more than ${limits.setFiles} files`)
  return set.map((file: FileSetEntry, at) => {
    const { name, nameBase64 = null, digest, bytes } = file
    const exact = nameBase64 === null ? name : bytesOfBase64url(nameBase64)
    if (exact === null || exact === undefined)
      throw new TypeError(`set[${at}].nameBase64 is not base64url`)
    const isFile = Number.isSafeInteger(bytes) && bytes >= 0 && bytes <= limits.fileBytes
    if (!isFile || typeof digest !== 'string' || !digestPattern.test(digest))
      throw new TypeError(`set[${at}] needs bytes, and digest as in the result of a push`)
    return { name: checkHeldName(exact, `set[${at}].name`), size: bytes, fileDigest: digest }
  })
}
