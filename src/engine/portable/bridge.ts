/**
 * Two connections joined into one until either is gone: what one brings is written to the other,
 * and its end is passed on. The slower side holds up the other.
 */
import type { Socket } from 'node:net'
import type { Account } from './budget.js'

/** Milliseconds that a side may say and take nothing once the other has ended. */
const outliveMs = 20_000
const chunkBytes = 64 * 1024

export interface BridgeAccounts {
  readonly up: Account
  readonly down: Account
}

/** Resolves when both are closed; never rejects. `moved` is told of bytes as they are written. */
export async function bridge(
  [a, b]: readonly [Socket, Socket],
  accounts: BridgeAccounts,
  moved: (bytes: number) => void,
): Promise<void> {
  const both = [a, b]
  const closed = both.map((socket) => new Promise<void>((done) => socket.once('close', done)))
  for (const socket of both) {
    // Else the end of what it brings would end what it is sent.
    socket.allowHalfOpen = true
    socket.setKeepAlive(true)
    socket.on('error', () => {})
  }
  const drop = (): void => {
    for (const socket of both) socket.destroy()
  }
  for (const socket of both) socket.once('close', drop)
  if (both.some((socket) => socket.destroyed)) drop()
  await Promise.all([carry(a, b, accounts, moved), carry(b, a, accounts, moved)]).then(drop, drop)
  await Promise.all(closed)
}

async function carry(
  from: Socket,
  to: Socket,
  { up, down }: BridgeAccounts,
  moved: (bytes: number) => void,
): Promise<void> {
  for await (const chunk of from.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    for (let at = 0; at < chunk.length; ) {
      const most = Math.min(chunk.length - at, chunkBytes)
      const paid = Math.min(await down.take(most), most)
      const granted = paid === 0 ? 0 : await up.take(paid)
      if (granted === 0) return
      down.pay(granted - paid)
      await write(to, chunk.subarray(at, at + granted))
      moved(granted)
      at += granted
    }
  }
  to.setTimeout(outliveMs, () => to.destroy())
  await new Promise<void>((ended) => to.end(ended))
}

function write(to: Socket, bytes: Uint8Array): Promise<void> {
  return new Promise((done, failed) => {
    to.write(bytes, (error) => (error ? failed(error) : done()))
  })
}
