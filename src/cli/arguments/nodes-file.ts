/** Reads the file that names the nodes of a push. */
import { open } from 'node:fs/promises'
import type { PushTarget } from '../../api/types.js'
import { UsageError } from '../render/units.js'
import { nodesFileBytesMax, parseNodesFile } from './addresses.js'

export async function readNodesFile(path: string): Promise<PushTarget[]> {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    const file = await open(path)
    // A pipe has no size, so the bound applies while reading.
    for await (const chunk of file.createReadStream() as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > nodesFileBytesMax)
        throw new UsageError(`${path}: larger than a nodes file can be (1 MiB)`)
      chunks.push(chunk)
    }
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw new UsageError(`--nodes: ${(error as Error).message}`)
  }
  return parseNodesFile(Buffer.concat(chunks).toString('utf8'), path)
}
