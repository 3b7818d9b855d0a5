/** Bytes without a pattern that are the same in every run: no piece of them begins by chance. */
import { createCipheriv } from 'node:crypto'

export function steadyBytes(count: number, seed: number): Buffer {
  const start = Buffer.alloc(16)
  start.writeUInt32BE(seed)
  return createCipheriv('aes-128-ctr', Buffer.alloc(16), start).update(Buffer.alloc(count))
}
