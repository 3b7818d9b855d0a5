/**
 * The names of a directory that several nodes use, for whoever reads files there: `DIR/NAME` is one
 * more name of the file that a node has published last under it.
 *
 * The idea: nodes do not go by these names, so nothing is lost where one cannot be given. A name
 * goes with the last node that has this file under it; where others have another one, that is
 * shown then. What somebody else has put there is replaced by a publication, and removed by none.
 */
import { randomBytes } from 'node:crypto'
import { link, lstat, mkdir, readdir, realpath, rename, rmdir, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { hiddenDir } from '../../base/names.js'
import { syncDirectory } from '../files/durable.js'

export interface ShownNamesSpec {
  /** DIR. */
  readonly root: string
  /** Data directories of all nodes. */
  readonly nodes: string
  /** Of this node. */
  readonly dataDir: string
}

export class ShownNames {
  readonly #spec: ShownNamesSpec

  constructor(spec: ShownNamesSpec) {
    this.#spec = spec
  }

  /** The file that this node has under the name. Rejects with what the system said. */
  async show(name: Uint8Array): Promise<void> {
    await this.#show(name, this.#spec.dataDir)
  }

  /** This node has removed the file of this inode. Rejects with what the system said. */
  async hide(name: Uint8Array, inode: string): Promise<void> {
    const path = pathIn(this.#spec.root, name)
    if ((await inodeOf(path)) !== inode) return
    const others: { readonly dataDir: string; readonly inode: string }[] = []
    for (const one of await readdir(this.#spec.nodes)) {
      const dataDir = join(this.#spec.nodes, one)
      const found = await inodeOf(pathIn(dataDir, name))
      if (found === inode) return
      if (found !== undefined) others.push({ dataDir, inode: found })
    }
    const [other] = others
    if (other !== undefined) return await this.#show(name, other.dataDir)
    await this.#take(path, inode)
    await this.#removeEmpty(name)
  }

  async #show(name: Uint8Array, dataDir: string): Promise<void> {
    const path = pathIn(this.#spec.root, name)
    const above = dirname(path.toString('latin1'))
    const parent = Buffer.from(above, 'latin1')
    await mkdir(parent, { recursive: true })
    await this.#requireWithin(parent)
    const temporary = this.#temporary()
    await link(pathIn(dataDir, name), temporary)
    try {
      await rename(temporary, path)
    } finally {
      // Of two names of one file the rename has left both.
      await unlink(temporary).catch(() => {})
    }
    await syncDirectory(parent.toString()).catch(() => {})
  }

  /** Out of the way first: another node may show another file there at this moment. */
  async #take(path: Buffer, inode: string): Promise<void> {
    const temporary = this.#temporary()
    await rename(path, temporary)
    try {
      if ((await inodeOf(temporary)) !== inode) await link(temporary, path).catch(() => {})
    } finally {
      await unlink(temporary)
    }
  }

  async #removeEmpty(name: Uint8Array): Promise<void> {
    let above = Buffer.from(name)
    for (;;) {
      const end = above.lastIndexOf('/')
      if (end < 0) return
      above = above.subarray(0, end)
      try {
        await rmdir(pathIn(this.#spec.root, above))
      } catch {
        return
      }
    }
  }

  /** A link that somebody has put on the way leads out of the directory. */
  async #requireWithin(parent: Buffer): Promise<void> {
    const [root, found] = await Promise.all([
      realpath(this.#spec.root, 'latin1'),
      realpath(parent, 'latin1'),
    ])
    if (found === root || found.startsWith(`${root}/`)) return
    throw new Error('a link on the way leads out of the directory')
  }

  /** Goes at the next start of this node if it is killed here. */
  #temporary(): string {
    const name = `shown.${randomBytes(8).toString('hex')}`
    return join(this.#spec.dataDir, hiddenDir, 'partials', name)
  }
}

function pathIn(directory: string, name: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${directory}/`), name])
}

/** Undefined: no regular file is there. */
async function inodeOf(path: string | Buffer): Promise<string | undefined> {
  const found = await lstat(path, { bigint: true }).catch(() => undefined)
  return found?.isFile() ? String(found.ino) : undefined
}
