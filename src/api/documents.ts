/** Topologies and file sets of a master, read from files. */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { textOf } from '../base/bytes.js'
import { FrError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { FileSet } from '../control/copies/sets.js'
import { readKept } from '../store/files/durable.js'

const ofDocuments = /\.(?:ya?ml|json)$/

/** A topology, and how a master decides. Rejects with ERR_FR_DOCUMENT, and all that is wrong. */
export async function networkIn(path: string) {
  const { readNetwork } = await import('../documents/topology.js')
  return readNetwork({ path, text: await textIn(path) })
}

/** Of one document, or of all in a directory. Rejects as `networkIn` does. */
export async function setsAt(path: string): Promise<FileSet[]> {
  const stats = await stat(path).catch((cause: Error) => {
    throw unreadable(path, cause.message)
  })
  if (stats.isDirectory()) return setsIn(path)
  const { readSets } = await import('../documents/sets.js')
  return readSets([{ path, text: await textIn(path) }])
}

/** Of the documents in a text; `name` is what errors call it. Rejects as `networkIn` does. */
export async function setsOf(documents: { name: string; text: string }): Promise<FileSet[]> {
  const { readSets } = await import('../documents/sets.js')
  return readSets([{ path: documents.name, text: documents.text }])
}

/** Of all documents in the directory, by name. Rejects as `networkIn` does. */
export async function setsIn(directory: string): Promise<FileSet[]> {
  const { readSets } = await import('../documents/sets.js')
  const names = await readdir(directory).catch((cause: Error) => {
    throw unreadable(directory, cause.message)
  })
  const documents = names.filter((name) => ofDocuments.test(name)).sort()
  if (documents.length > limits.documentFiles)
    throw unreadable(directory, `it has more than ${limits.documentFiles} documents`)
  const texts = []
  let chars = 0
  for (const name of documents) {
    const path = join(directory, name)
    const text = await textIn(path)
    chars += text.length
    if (chars > limits.documentsBytes)
      throw unreadable(directory, `its documents have more than ${limits.documentsBytes} bytes`)
    texts.push({ path, text })
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
