/** The digest of a whole file, or of a tree, as text. */
import type { Fields } from './fields.js'

const fileDigest = new RegExp(
  '^(?:blake3:[0-9a-f]{64}|sha256-blocks/[1-9]\\d{0,15}:[0-9a-f]{64}' +
    '|xxh64-blocks/[1-9]\\d{0,15}:[0-9a-f]{16})$',
)

/** The form of session/file-digest.ts. */
export function readFileDigest(fields: Fields, name: string): string {
  const text = fields.string(name, 96)
  return fileDigest.test(text) ? text : fields.refuse(name, 'is not a file digest')
}

const treeDigest = /^tree:[0-9a-f]{64}$/

/** Of a file, or of a tree (store/trees/kept-trees.ts). */
export function readVersionDigest(fields: Fields, name: string): string {
  const text = fields.string(name, 96)
  return treeDigest.test(text) ? text : readFileDigest(fields, name)
}
