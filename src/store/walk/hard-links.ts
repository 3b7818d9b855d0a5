/** Which names of a tree are the same file: device and inode of files that have several names. */
import { limits } from '../../base/limits.js'
import type { Looked } from '../../ports/tree-files.js'

const deviceAndInode = 16

export class HardLinks {
  readonly #warn: (text: string) => void
  /** The first name of each, and how many more there are. */
  readonly #files = new Map<string, { readonly name: Buffer; left: number }>()
  #isFull = false

  constructor(warn: (text: string) => void) {
    this.#warn = warn
  }

  /** The name that came first; undefined: this one. Beyond the bound each name is a file. */
  firstOf(name: Buffer, { links, identity }: Looked): Buffer | undefined {
    if (links < 2) return undefined
    const key = identity.toString('latin1', 0, deviceAndInode)
    const known = this.#files.get(key)
    if (known !== undefined) {
      known.left -= 1
      // No other name of it can come.
      if (known.left === 0) this.#files.delete(key)
      return known.name
    }
    if (this.#files.size < limits.treeHardLinks) this.#files.set(key, { name, left: links - 1 })
    else if (!this.#isFull) {
      this.#isFull = true
      this.#warn(`more than ${limits.treeHardLinks} hard links are open: others go as files`)
    }
    return undefined
  }
}
