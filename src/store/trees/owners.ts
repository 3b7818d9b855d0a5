/** Users and groups of this machine, by name: ids differ from machine to machine. */
import type { TreeAttributes } from '../../protocol/listing.js'
import { accountsIn } from '../files/accounts.js'

const longest = 16 * 1024 * 1024

export class Owners {
  readonly #users: ReadonlyMap<string, number>
  readonly #groups: ReadonlyMap<string, number>

  private constructor(users: ReadonlyMap<string, number>, groups: ReadonlyMap<string, number>) {
    this.#users = users
    this.#groups = groups
  }

  /** Reads the system's files; a name that is not in them keeps its number. */
  static async read(): Promise<Owners> {
    return new Owners(await idsIn('/etc/passwd'), await idsIn('/etc/group'))
  }

  of({ uid, gid, user, group }: NonNullable<TreeAttributes['owner']>): {
    readonly uid: number
    readonly gid: number
  } {
    return { uid: this.#users.get(user) ?? uid, gid: this.#groups.get(group) ?? gid }
  }
}

async function idsIn(path: string): Promise<Map<string, number>> {
  const ids = new Map<string, number>()
  for (const { name, id } of await accountsIn(path, longest))
    if (name !== '' && /^\d{1,10}$/.test(id)) ids.set(name, Number(id))
  return ids
}
