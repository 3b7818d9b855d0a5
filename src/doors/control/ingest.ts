/** What becomes of an upload that is whole: a push, or a publication. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { publish, push } from '../../api/index.js'
import type { Who } from '../mount.js'
import { HttpError } from '../problem.js'
import { require } from '../tokens.js'
import type { NodeBehind } from './node-routes.js'
import { Running, type RunningTransfers } from './running.js'
import type { UploadWish } from './upload-wish.js'

type IngestBehind = Pick<NodeBehind, 'at' | 'credentials'> & { readonly running: RunningTransfers }

/** Rejects with HttpError: 422 ERR_FR_DIGEST, 503; and with what `push` refuses. */
export async function ingest(
  { at, credentials, running }: IngestBehind,
  { name, where, to, sha256 }: UploadWish,
  path: string,
): Promise<Running> {
  if (sha256 !== null && (await sha256Of(path)) !== sha256)
    throw new HttpError(422, 'ERR_FR_DIGEST', 'what has come has another SHA-256 than was said')
  const mayCancel = (who: Who): void => require(who, 'push', name)
  return running.begin(() => {
    if (where !== null)
      return Running.ofPublication({ name, mayCancel }, (hooks) =>
        publish(path, { as: name, where, via: at, ...credentials, ...hooks }),
      )
    const nodes = to.length === 0 ? [at] : to
    const transfer = push(path, { as: name, to: nodes, ...credentials })
    return Running.ofTransfer({ kind: 'push', name, mayCancel }, transfer)
  })
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}
