/**
 * A name that one process of this machine has at a time: a socket without a file, of which the
 * system lets go when the process ends, however it does.
 */
import { createHash } from 'node:crypto'
import { createServer } from 'node:net'

/** Gives the name back, once. Null: somebody has it, or this system has no such names. */
export async function claimName(name: string): Promise<(() => void) | null> {
  if (process.platform !== 'linux') return null
  const server = createServer((socket) => socket.destroy()).unref()
  const digest = createHash('sha256').update(`${process.getuid?.()} ${name}`).digest('hex')
  return new Promise((resolve) => {
    server.on('error', () => resolve(null))
    server.listen(`\0fastreplica-${digest.slice(0, 32)}`, () => resolve(() => server.close()))
  })
}
