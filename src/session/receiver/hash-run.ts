/** Blocks of a partial, or of the scratch beside it, are hashed: the fact comes to `post`. */
import type { FrError } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import type { HashRun } from '../../control/messages/facts.js'
import type { NodeFact } from '../../control/receiver/events.js'
import type { FileHandle } from '../../ports.js'
import type { Partial } from '../../store/partial.js'
import type { Hasher } from '../hasher.js'

/**
 * Blocks of a file that was here are brought first. What cannot be read of it, as when somebody has
 * cut it off, is hashed as it is here, found bad, and comes again. Never rejects.
 */
export async function hashRun(
  hasher: Hasher,
  partial: Partial,
  { part, offset, length }: HashRun,
  post: (fact: NodeFact) => void,
): Promise<void> {
  const file = part === 'scratch' ? (partial.scratch as FileHandle) : partial.file
  const failed = ({ code, message: text }: FrError): void =>
    post({ type: 'fileFailed', code, text })
  if (part === 'file' && partial.isCopied) {
    try {
      await partial.bring({ offset, length })
    } catch (error) {
      const failure = asFrError(error, 'ERR_FR_IO')
      if (failure.code !== 'ERR_FR_IO') return failed(failure)
    }
  }
  const hashed = (digests: Uint8Array): void =>
    post({ type: 'hashed', part, offset, length, digests })
  await hasher.hash(file, { offset, length }, hashed, failed)
}
