/** A user's program as TypeScript sees it; compiled against the installed package, not run. */
import { FrError, push, startNode } from 'fastreplica'

export async function send(path: string, key: Uint8Array, signal: AbortSignal): Promise<number> {
  await using node = await startNode({ listen: '127.0.0.1:0', dataDir: 'data', key })
  const transfer = push(path, { to: [node.address], key, signal })
  try {
    const result = await transfer.result
    return result.bytes
  } catch (error) {
    if (error instanceof FrError && error.retryable) return 0
    throw error
  }
}
