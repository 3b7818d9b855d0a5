/** `client.disks`: the data directories of a node. */
import { askForDisks } from '../agent/held-client.js'
import type { DiskEntry } from '../control/messages/types.js'
import { requireAddressText } from '../net/address.js'
import { asking } from './inquiry.js'
import { requireOptions } from './option-names.js'
import type { DiskStatus, DisksOptions } from './types.js'

const answerMs = 10_000

/** In the order in which the node was given them, those that are missing as well. */
export async function disks(address: string, options: DisksOptions = {}): Promise<DiskStatus[]> {
  const node = requireAddressText(address, 'address')
  requireOptions('disks', options)
  const entries = await asking(node, options, answerMs, ({ inquiry, ...within }) =>
    askForDisks(inquiry, within),
  )
  return entries.map((entry) => statusOf(node, entry))
}

function statusOf(
  node: string,
  { sizeBytes, heldFiles, heldBytes, load, speedBytesPerSecond, ...entry }: DiskEntry,
): DiskStatus {
  const { path, state, problems, freeBytes, partialBytes, transfers, waitingBytes } = entry
  return {
    ...{ event: 'disk', node, path, state, problems, bytes: sizeBytes, freeBytes },
    held: { files: heldFiles, bytes: heldBytes },
    ...{ partialBytes, transfers, waitingBytes },
    activity: load && {
      busy: load.busyPpm / 1e6,
      requestMs: load.requestMicros / 1000,
      readBytesPerSecond: load.readBytesPerSecond,
      writtenBytesPerSecond: load.writtenBytesPerSecond,
    },
    speedBytesPerSecond,
  }
}
