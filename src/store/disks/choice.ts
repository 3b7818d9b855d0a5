/**
 * Which disk a new name goes to: the emptiest of those that are soonest done with what they have.
 * Pure.
 *
 * The idea: a queue is told in seconds, so that disks of different speeds end together, and settle
 * at shares like their speeds. A difference that nobody notices leaves the choice to the room, and
 * equal rooms leave it to what is held: directories of one device fill evenly, too.
 */
import { limits } from '../../base/limits.js'

export interface DiskState {
  /** Free, and neither reserved nor to stay free. */
  readonly roomBytes: number
  /** Of the files that it holds. */
  readonly heldBytes: number
  /** Of transfers that land there: bytes that are still to come. */
  readonly waitingBytes: number
  /** What a second in which the device was busy has written; null: not known. */
  readonly speedBytesPerSecond: number | null
  /** How long a request waits at the device now, whoever made it; null: not known. */
  readonly requestMs: number | null
  /** Files of so many bytes and more had better go elsewhere for a while; null: none. */
  readonly restsFromBytes: number | null
}

export function isResting({ restsFromBytes }: DiskState, neededBytes: number): boolean {
  return restsFromBytes !== null && neededBytes >= restsFromBytes
}

/** Index of the disk for `neededBytes` more; there must be one at least. */
export function chooseDisk(disks: readonly DiskState[], neededBytes: number): number {
  const all = disks.map((disk, index) => ({ ...disk, index }))
  const fits = all.filter(({ roomBytes }) => roomBytes >= neededBytes)
  const awake = all.filter((disk) => !isResting(disk, neededBytes))
  const best = fits.filter((disk) => !isResting(disk, neededBytes))
  const some = [best, fits, awake, all].find(({ length }) => length > 0) ?? all
  const speed = usualSpeed(disks)
  const queued = some.map((disk) => ({ ...disk, waitSeconds: waitSeconds(disk, speed) }))
  const shortest = Math.min(...queued.map((disk) => disk.waitSeconds))
  const soon = queued.filter((disk) => disk.waitSeconds <= shortest + limits.diskWaitSeconds)
  const most = Math.max(...soon.map(({ roomBytes }) => roomBytes))
  const least = most - Math.abs(most) / limits.diskRoomParts
  const roomy = soon.filter(({ roomBytes }) => roomBytes >= least)
  const [first, ...others] = roomy
  let chosen = first
  for (const disk of others)
    if (chosen !== undefined && filledBytes(disk) < filledBytes(chosen)) chosen = disk
  return chosen?.index ?? 0
}

function filledBytes({ heldBytes, waitingBytes }: DiskState): number {
  return heldBytes + waitingBytes
}

/** Seconds until what waits is written, and a request more is answered. */
function waitSeconds(
  { waitingBytes, speedBytesPerSecond, requestMs }: DiskState,
  usualBytesPerSecond: number,
): number {
  const speed = speedBytesPerSecond ?? usualBytesPerSecond
  return waitingBytes / speed + (requestMs ?? 0) / 1000
}

/** Of one that has not been measured: that of the fastest, so that it is tried. */
function usualSpeed(disks: readonly DiskState[]): number {
  const known = disks.flatMap(({ speedBytesPerSecond }) => speedBytesPerSecond ?? [])
  return known.length === 0 ? limits.diskBytesPerSecond : Math.max(...known)
}
