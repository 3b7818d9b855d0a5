/**
 * What of the free bytes of a disk is set aside for transfers that have begun. Pure.
 *
 * The idea: a file in one piece needs its room on one device, in whichever directory there it
 * lands; a striped file takes what is left on any of them. So all of them fit where each device has
 * room for its whole files, and the rest of all devices together for the striped ones.
 */
export interface Room {
  /** Directories of one device share its free bytes; undefined: not known, and counted apart. */
  readonly device: bigint | undefined
  /** As counted last. */
  readonly freeBytes: number
  /** What transfers in one piece will still write there. */
  readonly openBytes: number
}

export interface Rooms {
  readonly rooms: readonly Room[]
  /** What striped transfers will still write. */
  readonly stripedBytes: number
  /** Bytes that stay free on each device. */
  readonly minFreeBytes: number
}

/** Of the free bytes of one of the rooms, for a transfer in one piece. */
export function reservedOf(at: Room, { rooms, stripedBytes, minFreeBytes }: Rooms): number {
  const devices = devicesOf(rooms)
  const own = devices.find(({ members }) => members.includes(at))
  const others = devices.filter((one) => one !== own)
  const elsewhere = others.reduce((sum, one) => sum + leftOn(one, minFreeBytes), 0)
  return minFreeBytes + (own?.openBytes ?? 0) + Math.max(0, stripedBytes - elsewhere)
}

/**
 * Of the free bytes of all devices, what stays free counted once, for a striped transfer. Whole
 * files that have no room any more take no more than what is there.
 */
export function reservedOfAll({ rooms, stripedBytes, minFreeBytes }: Rooms): number {
  const taken = devicesOf(rooms).map(({ freeBytes, openBytes }) =>
    Math.min(openBytes, Math.max(0, freeBytes - minFreeBytes)),
  )
  return minFreeBytes + stripedBytes + taken.reduce((sum, bytes) => sum + bytes, 0)
}

interface Device {
  readonly members: readonly Room[]
  readonly freeBytes: number
  readonly openBytes: number
}

function devicesOf(rooms: readonly Room[]): Device[] {
  const byDevice = new Map<bigint | Room, Room[]>()
  for (const room of rooms) {
    const key = room.device ?? room
    byDevice.set(key, [...(byDevice.get(key) ?? []), room])
  }
  return [...byDevice.values()].map((members) => ({
    members,
    freeBytes: Math.min(...members.map(({ freeBytes }) => freeBytes)),
    openBytes: members.reduce((sum, { openBytes }) => sum + openBytes, 0),
  }))
}

function leftOn({ freeBytes, openBytes }: Device, minFreeBytes: number): number {
  return Math.max(0, freeBytes - minFreeBytes - openBytes)
}
