/** Who somebody is to others: the fingerprint of a key, as lists of authorized peers name it. */
import { FrError } from '../base/errors.js'
import { asFrError } from '../base/failures.js'
import { selfOf, signerOf } from '../net/crypto.js'
import { keptClientKey, keyOfNode } from '../store/identity.js'
import { requireText } from './checks.js'
import type { IdentityOptions } from './identity-types.js'
import { requireOptions } from './option-names.js'

export type { IdentityOptions }

/**
 * 32 hex digits. Rejects with ERR_FR_DATA_DIR where no node has served the directory here,
 * ERR_FR_KEY where every user can read the key, ERR_FR_IO where it cannot be kept.
 */
export async function identity(options: IdentityOptions = {}): Promise<string> {
  requireOptions('identity', options)
  const { dataDir } = options
  if (dataDir !== undefined) requireText('dataDir', dataDir)
  try {
    const key = dataDir === undefined ? await keptClientKey() : await keyOfNode(dataDir)
    if (key !== null) return selfOf(signerOf(key)).nodeId
  } catch (error) {
    throw asFrError(error, 'ERR_FR_IO')
  }
  const text = `${dataDir}: no node has served this directory at this place`
  throw new FrError('ERR_FR_DATA_DIR', text)
}
