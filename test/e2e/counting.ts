/**
 * A door that counts the record bytes that pass it to a node, by sender. Tests compare every
 * reported figure with these counts.
 */
import { originNumber } from '../../src/control/messages/types.js'
import { callerOf, payloadFinder } from './door.js'
import { proxy } from './proxy.js'
import type { World } from './push-support.js'

export interface Counted {
  payloadBytes: number
  holeBytes: number
}

export interface CountingDoor {
  readonly address: string
  /** By member number of the sender. */
  readonly from: ReadonlyMap<number, Counted>
  readonly payloadBytes: number
  payloadFrom(sender: number): number
}

/** `refusesMates` closes connections of mates, so that only the origin gets through. */
export async function countingDoor(
  world: World,
  address: string,
  { refusesMates = false } = {},
): Promise<CountingDoor> {
  const from = new Map<number, Counted>()
  const passed = await proxy(address, (socket, to) => {
    let start = Buffer.alloc(0)
    let counted: Counted | undefined
    const read = payloadFinder('payload', (kind, bytes) => {
      if (counted === undefined) return
      if (kind === 'payload') counted.payloadBytes += bytes
      if (kind === 'hole') counted.holeBytes += bytes
    })
    socket.on('data', (chunk: Buffer) => {
      if (counted === undefined) {
        start = Buffer.concat([start, chunk])
        const caller = callerOf(start)
        if (caller?.from !== undefined) {
          if (refusesMates && caller.from !== originNumber) return void socket.resetAndDestroy()
          counted = from.get(caller.from) ?? { payloadBytes: 0, holeBytes: 0 }
          from.set(caller.from, counted)
        }
      }
      read(chunk)
      if (!to.write(chunk)) socket.pause()
    })
    to.on('drain', () => socket.resume())
  })
  world.defer(passed.close)
  return {
    address: passed.address,
    from,
    get payloadBytes() {
      return [...from.values()].reduce((sum, counted) => sum + counted.payloadBytes, 0)
    },
    payloadFrom: (sender) => from.get(sender)?.payloadBytes ?? 0,
  }
}
