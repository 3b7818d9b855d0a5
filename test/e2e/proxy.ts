/**
 * A door in front of a node: every connection to it is joined to one to the node. The caller
 * decides how bytes pass towards the node; all else is the same for all doors. A node that is to be
 * told the address of its door is named by a function, once it is there.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { freePort } from '../../bench/programs.mjs'

export interface Through {
  /** HOST:PORT to use instead of the node's own. */
  readonly address: string
  close(): void
}

/** Passes everything on. */
export function passAll(from: Socket, to: Socket): void {
  from.pipe(to)
}

/**
 * `join` passes bytes of `from` on to `to`, `back` those of the node; with `listenPort` 0 any free
 * port is used.
 */
export async function proxy(
  address: string | (() => string),
  join: (from: Socket, to: Socket) => void,
  listenPort = 0,
  back: (to: Socket, from: Socket) => void = passAll,
): Promise<Through> {
  const portNow = (): number => {
    const text = typeof address === 'string' ? address : address()
    return Number(text.slice(text.lastIndexOf(':') + 1))
  }
  const sockets = new Set<Socket>()
  const server = createServer((from) => {
    const to = connect(portNow(), '127.0.0.1')
    join(from, to)
    back(to, from)
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
  server.listen(listenPort || (await freePort()), '127.0.0.1')
  await once(server, 'listening')
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}
