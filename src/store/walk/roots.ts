/** Where a walk over a tree begins: its paths, looked at. */
import { realpath } from 'node:fs/promises'
import { FrError } from '../../base/errors.js'
import type { TreeFiles } from '../../ports/tree-files.js'
import { compareNames } from '../../protocol/listing.js'
import type { TreePath, TreeRoot } from './walk.js'

export interface RootsSpec {
  readonly paths: readonly TreePath[]
  readonly files: TreeFiles
  readonly xattrs: boolean
  readonly acls: boolean
}

/**
 * In walk order. Rejects with ERR_FR_SOURCE for a path that is not there, TypeError for names that
 * contain one another.
 */
export async function openRoots(spec: RootsSpec): Promise<TreeRoot[]> {
  const roots: TreeRoot[] = []
  for (const path of spec.paths) roots.push(await rootOf(path, spec))
  roots.sort((a, b) => compareNames(a.name, b.name))
  checkNames(roots)
  return roots
}

export async function rootOf(
  { path, name }: TreePath,
  { files, xattrs, acls }: Omit<RootsSpec, 'paths'>,
): Promise<TreeRoot> {
  const real = await realpathOf(path)
  return { path: real, name: Buffer.from(name), looked: await files.look(real, { xattrs, acls }) }
}

async function realpathOf(path: string | Uint8Array): Promise<Buffer> {
  try {
    return await realpath(typeof path === 'string' ? path : Buffer.from(path), 'buffer')
  } catch (cause) {
    const text = `${Buffer.from(path).toString()}: ${(cause as Error).message}`
    throw new FrError('ERR_FR_SOURCE', text, { cause })
  }
}

function checkNames(roots: readonly TreeRoot[]): void {
  for (const [index, { name, looked }] of roots.entries()) {
    if (name.length === 0 && (roots.length > 1 || looked.kind !== 'directory'))
      throw new TypeError('paths: only a directory that is the whole tree has no name')
    const before = roots[index - 1]?.name
    const isIn = before !== undefined && name.subarray(0, before.length).equals(before)
    if (isIn && (name.length === before.length || name[before.length] === 0x2f))
      throw new TypeError(`paths: ${name.toString()} is named twice, or in another`)
  }
}
