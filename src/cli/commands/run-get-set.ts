/** `fr get --set`: fetches what a directory lacks of a file set; a line for each file. */
import { readFile, stat } from 'node:fs/promises'
import type { FileSetEntry, GetSetResult } from '../../api/types.js'
import { limits } from '../../base/limits.js'
import { keyOption } from '../arguments/keys.js'
import { addressesNamed } from '../arguments/nodes-file.js'
import { type Context, watchSignals } from '../render/context.js'
import { asUsage } from '../render/failures.js'
import { jsonText, printable } from '../render/text.js'
import { formatBytes, UsageError } from '../render/units.js'
import type { GetCommand } from './get.js'
import { given } from './options.js'

/** 0: all is there; 3: some of it is, 1: nothing. */
export async function runGetSet(command: GetCommand, context: Context): Promise<number> {
  const { getSet } = await import('../../api/get-set.js')
  const signal = watchSignals((text) => context.stderr(`fr get: ${text}\n`))
  const { output, engine, seal, json, set: path = '' } = command
  const set = await readSet(path)
  const key = await keyOption(command, context)
  const from = await addressesNamed({ addresses: command.from }, signal)
  const options = { from, signal, ...given({ output, engine, seal }), ...key }
  let result: GetSetResult | undefined
  try {
    for await (const found of getSet(set, options)) {
      if (found.event === 'result') result = found
      if (json) context.stdout(`${jsonText(found)}\n`)
      else if (found.event === 'file' && found.status !== 'present')
        context.stderr(`${found.status}  ${printable(found.name)}${reasonOf(found.reason)}\n`)
    }
  } catch (error) {
    throw asUsage(error)
  }
  if (result === undefined) return 1
  const { files, bytes, fetchedFiles, fetchedBytes, failedFiles } = result
  const all = `${formatBytes(fetchedBytes)} of ${formatBytes(bytes)}`
  if (!json) context.stderr(`${fetchedFiles} of ${files} files fetched, ${all}\n`)
  if (failedFiles === 0) return 0
  return failedFiles < files ? 3 : 1
}

function reasonOf(reason: string | null): string {
  return reason === null ? '' : `  ${printable(reason)}`
}

/** One JSON object a line, as `fr ls --json` prints them; what is no whole file is passed over. */
async function readSet(path: string): Promise<FileSetEntry[]> {
  const from = path === '-' ? '/dev/stdin' : path
  const { size } = await stat(from)
  if (size > limits.setTextBytes) throw new UsageError(`${path} is too large for a file set`)
  const lines = (await readFile(from, 'utf8')).split('\n').filter((line) => line.trim() !== '')
  return lines.flatMap((line, at) => entryOf(line, `${path}:${at + 1}`))
}

function entryOf(line: string, where: string): FileSetEntry[] {
  let file: Partial<Record<string, unknown>>
  try {
    file = JSON.parse(line)
  } catch {
    throw new UsageError(`${where} is no JSON`)
  }
  if (typeof file !== 'object' || file === null)
    throw new UsageError(`${where} is no file of a set`)
  const { event, kind = 'file', state = 'held', name, nameBase64 = null, digest, bytes } = file
  if (event === 'error') throw new UsageError(`${where} says that a node was not asked`)
  if (kind !== 'file' || state !== 'held') return []
  return [{ name, nameBase64, digest, bytes } as FileSetEntry]
}
