/** Topologies and file sets of a master, read from files. */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { textOf } from '../base/bytes.js'
import { FrError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { TopologySpec } from '../control/copies/network.js'
import type { FileSet } from '../control/copies/sets.js'
import { readKept } from '../store/files/durable.js'

const ofDocuments = /\.(?:ya?ml|json)$/

/** Rejects with ERR_FR_DOCUMENT, and all that is wrong. */
export async function topologyIn(path: string): Promise<TopologySpec> {
  const { readTopology } = await import('../documents/topology.js')
  return readTopology({ path, text: await textIn(path) })
}

/** A topology, and how a master decides. Rejects as `topologyIn` does. */
export async function networkIn(path: string) {
  const { readNetwork } = await import('../documents/topology.js')
  return readNetwork({ path, text: await textIn(path) })
}

/** Of one document, or of all in a directory. Rejects as `topologyIn` does. */
export async function setsAt(path: string): Promise<FileSet[]> {
  const stats = await stat(path).catch((cause: Error) => {
    throw unreadable(path, cause.message)
  })
  if (stats.isDirectory()) return setsIn(path)
  const { readSets } = await import('../documents/sets.js')
  return readSets([{ path, text: await textIn(path) }])
}

/** Of all documents in the directory, by name. Rejects as `topologyIn` does. */
export async function setsIn(directory: string): Promise<FileSet[]> {
  const { readSets } = await import('../documents/sets.js')
  const names = await readdir(directory).catch((cause: Error) => {
    throw unreadable(directory, cause.message)
  })
  const documents = names.filter((name) => ofDocuments.test(name)).sort()
  if (documents.length > limits.documentFiles)
    throw unreadable(directory, `it has more than ${limits.documentFiles} documents`)
  const texts = []
  for (const name of documents) {
    const path = join(directory, name)
    texts.push({ path, text: await textIn(path) })
  }
  return readSets(texts)
}

async function textIn(path: string): Promise<string> {
  const bytes = await readKept(path, limits.documentBytes).catch((cause: Error) => {
    throw unreadable(path, cause.message)
  })
  if (bytes === null)
    throw unreadable(path, `it is no file of at most ${limits.documentBytes} bytes`)
  return textOf(bytes) ?? fail(unreadable(path, 'it is not UTF-8'))
}

function unreadable(path: string, why: string): FrError {
  return new FrError('ERR_FR_DOCUMENT', `${path}: ${why}`, { path })
}

function fail(error: FrError): never {
  throw error
}
