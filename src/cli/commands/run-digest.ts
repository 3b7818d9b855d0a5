/** `fr digest`: prints the digest of a file, in the form that nodes report. */
import { withSource } from '../arguments/sources.js'
import { type Context, watchSignals } from '../render/context.js'
import type { DigestCommand } from './digest.js'

export async function runDigest(command: DigestCommand, context: Context): Promise<number> {
  const signal = watchSignals((text) => context.stderr(`fr digest: ${text}\n`))
  const { digestFile } = await import('../../api/index.js')
  // Same default as a push from this environment.
  const usual = context.env['FR_KEY'] === undefined ? 'xxh64' : 'blake3'
  const options = { signal, digest: command.digest ?? usual } as const
  const digest = await withSource(command.path, (source) => digestFile(source.path, options))
  context.stdout(`${digest}\n`)
  return 0
}
