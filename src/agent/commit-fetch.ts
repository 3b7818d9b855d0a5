/** A node that lacks what was decided on: another member copies it here. */
import { FrError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { digestDigits } from '../base/versions.js'
import type { Decree } from '../control/messages/commit.js'
import { randomId } from '../net/crypto.js'
import type { Dialler } from '../net/dial.js'
import { decodeName, encodeName } from '../protocol/manifest.js'
import { Inquiry } from './client.js'
import { askToCopy, followCopy } from './copy-client.js'

export interface CopyHere {
  readonly decree: Decree
  /** The number of this node. */
  readonly you: number
  /** So many have been asked before: each time another one is. */
  readonly attempt: number
  readonly signal: AbortSignal
}

/** Resolves when the copy is over. Rejects with what the member that was asked says. */
export async function copyHere(
  dialler: Dialler,
  { decree, you, attempt, signal }: CopyHere,
): Promise<void> {
  const others = decree.members.filter((_, number) => number !== you)
  const member = others[attempt % Math.max(1, others.length)]
  const own = decree.members[you]
  if (member === undefined || own === undefined)
    throw new FrError('ERR_FR_NOT_HELD', 'nobody else has what was decided on')
  const { name, nameIsBase64, fileDigest } = decree
  const version = Buffer.from(`@${digestDigits(fileDigest)}`)
  const expected = member.nodeId === '' ? undefined : member.nodeId
  const inquiry = new Inquiry(dialler, member.address, expected)
  const within = { timeoutMs: limits.stallMs + limits.acceptMs, signal }
  const transfer = randomId()
  try {
    await askToCopy(inquiry, within, {
      transfer,
      name: encodeName(Buffer.concat([decodeName(decree), version])),
      content: null,
      as: { name, nameIsBase64 },
      attributes: null,
      nodes: [{ address: own.address }],
      ...{ strategy: 'adaptive', shape: 'auto', noClobber: false, strict: false },
      ...{ allowAdd: false, connectMs: limits.reachMs, silenceMs: limits.silenceMs },
      ...{ retries: limits.retries, rejoinMs: 0, timeoutMs: null },
      ...{ minRateBytesPerSecond: null, uplinkBytesPerSecond: null, wait: true, detach: false },
    })
    await followCopy(inquiry, within, transfer, () => {})
  } finally {
    inquiry.close()
  }
}
