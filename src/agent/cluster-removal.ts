/**
 * Removing files of a node that is several processes: each removes what it was sent itself, so a
 * controller asks all of them. It asks as itself; who asked it was judged before.
 */
import { FrError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { Dialler } from '../net/dial.js'
import { Inquiry } from './client.js'
import type { Cluster } from './cluster.js'
import type { Disks } from './disks.js'
import { askToRemove, type Removed } from './held-client.js'
import type { Answers } from './questions.js'
import type { Removing } from './tree-answers.js'

export interface ClusterParts {
  readonly cluster?: Cluster | undefined
  readonly disks: Pick<Disks, 'recordOf' | 'refresh'>
  readonly dialler: () => Dialler
}

/** As it is where the process is no controller. */
export function heldByAll(held: Answers['held'], parts: ClusterParts): Answers['held'] {
  const { cluster } = parts
  if (cluster?.handsOver !== true) return held
  return {
    list: (spec) => held.list(spec),
    verify: (...of) => held.verify(...of),
    remove: (...of) => removeAtAll({ ...parts, cluster }, ...of),
  }
}

async function removeAtAll(
  { cluster, disks, dialler }: Omit<ClusterParts, 'cluster'> & { readonly cluster: Cluster },
  name: Uint8Array,
  isGlob: boolean,
  { isRemoving, signal }: Removing,
): Promise<Removed> {
  const sum = { entries: 0, kept: 0, failedCount: 0, text: '' }
  let isHeld = false
  for (const address of await cluster.distributing()) {
    const inquiry = new Inquiry(dialler(), address)
    try {
      const within = { timeoutMs: limits.stallMs, signal }
      const removed = await askToRemove(inquiry, within, name, isGlob)
      isHeld = true
      sum.entries += removed.entries
      sum.kept += removed.kept
      sum.failedCount += removed.failedCount
      if (sum.text === '') sum.text = removed.text
      isRemoving(sum.entries)
    } catch (error) {
      if (!(error instanceof FrError) || error.code !== 'ERR_FR_NOT_HELD') throw error
    } finally {
      inquiry.close()
    }
  }
  await disks.refresh()
  if (isHeld) return { type: 'removed', ...sum }
  const isAway = !isGlob && disks.recordOf(name) !== undefined
  const text = 'the process that was sent the file is not there'
  throw isAway ? new FrError('ERR_FR_UNREACHABLE', text) : new FrError('ERR_FR_NOT_HELD')
}
