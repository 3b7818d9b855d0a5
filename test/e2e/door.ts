/**
 * A door to a node: what is dialled through it arrives, until a connection has carried `holdAt`
 * bytes; then it waits until the door is opened. Control links never carry so much, so the node
 * lives, and a push to it cannot end before the test says so.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface Door {
  /** HOST:PORT in place of the node's own. */
  readonly address: string
  open(): void
  close(): void
}

export async function holdingDoor(address: string, holdAt: number): Promise<Door> {
  const port = Number(address.slice(address.lastIndexOf(':') + 1))
  const sockets = new Set<Socket>()
  const held = new Set<Socket>()
  let isOpen = false
  const server = createServer((from) => {
    const to = connect(port, '127.0.0.1')
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
    to.pipe(from)
    from.on('end', () => to.end())
    for (const socket of [from, to]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        from.destroy()
        to.destroy()
      })
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    open: () => {
      isOpen = true
      for (const socket of held) socket.resume()
      held.clear()
    },
    close: () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}
