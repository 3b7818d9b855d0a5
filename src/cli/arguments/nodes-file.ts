/** The nodes that a command names: in its arguments, in a file, by a name of DNS. */
import { open } from 'node:fs/promises'
import { dnsPrefix, parseDnsName } from '../../api/address.js'
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

export interface NamedNodes {
  readonly addresses?: readonly string[]
  readonly to?: readonly PushTarget[]
  readonly nodesFile?: string
}

/**
 * Each node that is named, each once, in order; those of a name of DNS have what was said of it.
 * Throws UsageError; rejects with FrError where a name stands for nobody.
 */
export async function targetsNamed(
  { addresses, to, nodesFile }: NamedNodes,
  signal?: AbortSignal,
): Promise<PushTarget[]> {
  const named = to ?? addresses?.map((address) => ({ address }))
  const all = named ?? (await readNodesFile(nodesFile ?? ''))
  const isNamed = ({ address }: PushTarget): boolean => address.startsWith(dnsPrefix)
  if (!all.some(isNamed)) return [...all]
  const { findNodes } = await import('../../api/find.js')
  const found = new Map<string, PushTarget>()
  for (const target of all) {
    const name = isNamed(target) ? parseDnsName(target.address.slice(dnsPrefix.length)) : null
    const { port } = name ?? {}
    const within = { ...(port !== undefined && { port }), ...(signal && { signal }) }
    const at = name === null ? [target.address] : await findNodes(name.name, within)
    for (const address of at) if (!found.has(address)) found.set(address, { ...target, address })
  }
  return [...found.values()]
}

/** The same without what is said of the nodes. */
export async function addressesNamed(named: NamedNodes, signal?: AbortSignal): Promise<string[]> {
  return (await targetsNamed(named, signal)).map(({ address }) => address)
}
