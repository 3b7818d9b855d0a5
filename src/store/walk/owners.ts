/** Names of users and groups of this machine, as far as its files tell them. */
import { limits } from '../../base/limits.js'
import { accountsIn } from '../files/accounts.js'

export class Owners {
  readonly #users: ReadonlyMap<number, string>
  readonly #groups: ReadonlyMap<number, string>

  private constructor(users: ReadonlyMap<number, string>, groups: ReadonlyMap<number, string>) {
    this.#users = users
    this.#groups = groups
  }

  static async read(): Promise<Owners> {
    return new Owners(await namesIn('/etc/passwd'), await namesIn('/etc/group'))
  }

  of(uid: number, gid: number): { uid: number; gid: number; user: string; group: string } {
    return { uid, gid, user: this.#users.get(uid) ?? '', group: this.#groups.get(gid) ?? '' }
  }
}

/** The first name of each id. */
async function namesIn(path: string): Promise<Map<number, string>> {
  const names = new Map<number, string>()
  for (const { name, id } of await accountsIn(path)) {
    const isUsable = /^\d+$/.test(id) && name !== '' && Buffer.byteLength(name) <= 255
    if (isUsable && !names.has(Number(id))) names.set(Number(id), name)
    if (names.size === limits.treeOwners) break
  }
  return names
}
