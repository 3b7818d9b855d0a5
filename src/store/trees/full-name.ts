/** Names of entries of a tree, beneath the data directory. */
const slash = Buffer.from('/')

/** `rel`: relative to the tree; empty: the tree itself. */
export function fullName(tree: Uint8Array, rel: Uint8Array): Uint8Array {
  return rel.length === 0 ? tree : Buffer.concat([tree, slash, rel])
}

/** `above`: of a directory, relative to the tree. */
export function below(above: Uint8Array, last: Uint8Array): Uint8Array {
  return above.length === 0 ? last : Buffer.concat([above, slash, last])
}

/** A name as it is shown to people. */
export function shown(name: Uint8Array): string {
  return JSON.stringify(Buffer.from(name).toString())
}
