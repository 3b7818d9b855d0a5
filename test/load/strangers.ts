/**
 * Connections without a key: random bytes, half a frame, a byte now and then, half a ClientHello,
 * TLS without the key, or nothing.
 */
import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { connect as tlsConnect } from 'node:tls'

/** How long a stranger stays if the node does not close its connection. */
const strangerMs = 1_500

export interface Seen {
  called: number
  opened: number
  welcomed: number
}

const kinds: readonly ((socket: Socket, seen: Seen) => void)[] = [
  (socket) => void socket.write(randomBytes(64 + Math.floor(Math.random() * 8192))),
  (socket) => {
    const message = Buffer.alloc(64, '{"fr":1,"type":"hello","chan')
    message.writeUInt32LE(200, 0)
    socket.write(message)
  },
  (socket) => {
    socket.write(Buffer.of(0x10))
    const timer = setInterval(() => socket.write(Buffer.of(0)), 1_000)
    socket.once('close', () => clearInterval(timer))
  },
  (socket) => void socket.write(Buffer.from('16030100fa010000f6', 'hex')),
  (socket, seen) => {
    const tls = tlsConnect({ socket, rejectUnauthorized: false })
    tls.on('error', () => {})
    tls.on('secureConnect', () => seen.welcomed++)
  },
  () => {},
]

/** One connection without the key; resolves when it is over. */
function stranger(port: number, seen: Seen): Promise<void> {
  const act = kinds[seen.called++ % kinds.length]
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    const timer = setTimeout(() => socket.destroy(), strangerMs)
    socket.on('connect', () => {
      seen.opened += 1
      act?.(socket, seen)
    })
    socket.on('data', (chunk) => {
      // ServerHello, challenge, or `go`: strangers may only get an alert or a refusal.
      if ([0x16, 0xf8, 0xfa].includes(chunk[0] as number)) seen.welcomed += 1
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}

/** At least `least` strangers, `atOnce` of them at a time, repeatedly while `isNeeded()`. */
export async function flood(
  port: number,
  { least, atOnce }: { readonly least: number; readonly atOnce: number },
  isNeeded: () => boolean,
): Promise<Seen> {
  const seen = { called: 0, opened: 0, welcomed: 0 }
  const worker = async () => {
    while (seen.called < least || isNeeded()) await stranger(port, seen)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return seen
}
