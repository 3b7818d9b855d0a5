/**
 * A door to a node: what is dialled through it arrives, until a connection has carried `holdAt`
 * bytes; then it waits until the door is opened. Control links never carry so much, so the node
 * lives, and a push to it cannot end before the test says so.
 */
import type { Socket } from 'node:net'
import { proxy, type Through } from './proxy.js'

export interface Door extends Through {
  open(): void
}

export async function holdingDoor(address: string, holdAt: number): Promise<Door> {
  const held = new Set<Socket>()
  let isOpen = false
  const passed = await proxy(address, (from, to) => {
    let seen = 0
    from.on('data', (chunk: Buffer) => {
      seen += chunk.length
      const hasRoom = to.write(chunk)
      if (!isOpen && seen >= holdAt) held.add(from.pause())
      else if (!hasRoom) from.pause()
    })
    to.on('drain', () => {
      if (!held.has(from)) from.resume()
    })
  })
  return {
    ...passed,
    open: () => {
      isOpen = true
      for (const socket of held) socket.resume()
      held.clear()
    },
  }
}
