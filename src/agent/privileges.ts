/**
 * Root starts the process, and the process becomes an ordinary user for good.
 *
 * At first only the effective ids change: so all that is made from then on, in data directories
 * above all, is the user's from its first byte. Root is taken back once, to bind a port that the
 * user may not bind, and then every id and all capabilities go. libc changes the ids of all threads
 * together.
 */
import { userInfo } from 'node:os'
import { FrError } from '../base/errors.js'

/** Of `process`, where the system has users. */
interface Ids {
  readonly getegid: () => number
  readonly getgroups: () => number[]
  readonly setgroups: (groups: readonly number[]) => void
  readonly initgroups: (user: string, gid: number) => void
  readonly seteuid: (user: string | number) => void
  readonly setegid: (gid: number) => void
  readonly setuid: (uid: number) => void
  readonly setgid: (gid: number) => void
}

export class Privileges {
  readonly #ids: Ids
  readonly #user: string
  readonly #uid: number
  readonly #gid: number
  #isDropped = false
  readonly #before: { readonly gid: number; readonly groups: number[] }

  private constructor(ids: Ids, user: string) {
    this.#ids = ids
    this.#user = user
    this.#before = { gid: ids.getegid(), groups: ids.getgroups() }
    try {
      // The system tells of a user by its effective id only.
      ids.seteuid(user)
      const { uid, gid } = userInfo()
      this.#uid = uid
      this.#gid = gid
    } catch (cause) {
      throw refusal(`there is no user ${JSON.stringify(user)} here`, cause)
    } finally {
      ids.seteuid(0)
    }
    if (this.#uid === 0) throw refusal(`${user} is root: nothing would be given up`)
    try {
      this.#assume()
    } catch (cause) {
      this.restore()
      throw refusal((cause as Error).message, cause)
    }
  }

  /** The process acts as the user from here on. Throws ERR_FR_PRIVILEGES. */
  static assume(user: string): Privileges {
    const { geteuid } = process
    if (geteuid === undefined) throw refusal('this system has no users to change to')
    if (geteuid() !== 0) throw refusal(`only root can become ${user}: start it as root`)
    return new Privileges(process as unknown as Ids, user)
  }

  /** Does as root what only root may. */
  async asRoot<T>(work: () => Promise<T>): Promise<T> {
    this.#ids.seteuid(0)
    try {
      return await work()
    } finally {
      this.#ids.seteuid(this.#uid)
    }
  }

  /** For good. Throws ERR_FR_PRIVILEGES where it could be taken back. */
  drop(): void {
    const { seteuid, setgid, setuid } = this.#ids
    try {
      seteuid(0)
      setgid(this.#gid)
      setuid(this.#uid)
      this.#isDropped = true
    } catch (cause) {
      throw refusal((cause as Error).message, cause)
    }
    try {
      seteuid(0)
    } catch {
      return
    }
    throw refusal(`the process could still be root beside ${this.#user}`)
  }

  /** Root again, as long as nothing was dropped: for callers that go on after a failure. */
  restore(): void {
    if (this.#isDropped) return
    const { gid, groups } = this.#before
    this.#ids.seteuid(0)
    this.#ids.setegid(gid)
    this.#ids.setgroups(groups)
  }

  #assume(): void {
    this.#ids.initgroups(this.#user, this.#gid)
    this.#ids.setegid(this.#gid)
    this.#ids.seteuid(this.#uid)
  }
}

function refusal(text: string, cause?: unknown): FrError {
  return new FrError('ERR_FR_PRIVILEGES', text, { cause })
}
