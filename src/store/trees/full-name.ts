/** Names of entries of a tree, beneath the data directory. */
import { nameBelow } from '../../base/names.js'

/** `rel`: relative to the tree; empty: the tree itself. */
export function fullName(tree: Uint8Array, rel: Uint8Array): Uint8Array {
  return rel.length === 0 ? tree : nameBelow(tree, rel)
}

/** A name as it is shown to people. */
export function shown(name: Uint8Array): string {
  return JSON.stringify(Buffer.from(name).toString())
}
