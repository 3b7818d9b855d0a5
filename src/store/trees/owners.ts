/** Users and groups of this machine, by name: ids differ from machine to machine. */
import { readFile } from 'node:fs/promises'
import type { TreeAttributes } from '../../protocol/listing.js'

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
  const text = await readFile(path, 'utf8').catch(() => '')
  if (text.length > longest) return ids
  for (const line of text.split('\n')) {
    const [name = '', , id = ''] = line.split(':')
    if (name !== '' && /^\d{1,10}$/.test(id)) ids.set(name, Number(id))
  }
  return ids
}
