/**
 * What a transfer puts on the wire: a door in front of a server that counts every byte which goes
 * through it, both ways. All programs are counted alike, with their own frames, indexes and TLS.
 */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'

/**
 * `address` is HOST:PORT of the server. Resolves to `{ address, taken(), close() }`: where to
 * connect instead, the bytes since the last time, and the end of it.
 */
export async function countingDoor(address) {
  const at = address.lastIndexOf(':')
  const there = { host: address.slice(0, at), port: Number(address.slice(at + 1)) }
  const sockets = new Set()
  let bytes = 0
  // Nothing waits at the door for more.
  const options = { allowHalfOpen: true, noDelay: true }
  const server = createServer(options, (from) => {
    const to = connect({ ...there, ...options })
    for (const [one, other] of [
      [from, to],
      [to, from],
    ]) {
      sockets.add(one)
      one.on('data', (chunk) => {
        bytes += chunk.length
      })
      one.on('error', () => other.destroy())
      one.on('close', () => sockets.delete(one))
      one.pipe(other)
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  return {
    address: `127.0.0.1:${port}`,
    taken() {
      const counted = bytes
      bytes = 0
      return counted
    },
    close() {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}
