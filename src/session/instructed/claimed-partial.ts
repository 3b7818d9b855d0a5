/** A partial that copies by order fill: claimed for its name, with its journal, and given back. */
import type { Failure } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import type { StreamEntry } from '../../control/messages/types.js'
import { Partial } from '../../store/partial.js'
import { Approval } from '../receiver/acceptance.js'
import { ReceptionLog } from '../receiver/log.js'
import type { Guest, NodeHost } from '../receiver/node-host.js'
import { type PartialLogSpec, releasePartial, startLog } from '../receiver/partial-log.js'
import type { VerifiedLog } from '../receiver/verified-log.js'

export interface Place {
  readonly host: NodeHost
  /** Of the disk. */
  readonly number: number
  /** Nothing of it is there any more that is not kept. */
  readonly over: () => void
}

/** Who fills it, for the log and for whoever finds the partial. */
export interface Filler {
  readonly transfer: string
  /** HOST:PORT of the first source. */
  readonly source: string
}

type OwnLogSpec = Omit<PartialLogSpec, 'transfer' | 'entry' | 'name' | 'failed'>

export class ClaimedPartial {
  readonly partial: Partial
  readonly log: ReceptionLog
  journal: VerifiedLog | undefined
  isClaimed = false
  readonly #guest: Guest
  readonly #place: Place
  readonly #entry: StreamEntry
  readonly #transfer: string

  /** `guest`: for whom the name is claimed. */
  constructor(
    guest: Guest,
    place: Place,
    entry: StreamEntry,
    { transfer, source: originAddress }: Filler,
  ) {
    this.#guest = guest
    this.#place = place
    this.#entry = entry
    this.#transfer = transfer
    const { host } = place
    const about = { transfer, role: 'receiver', entry, originAddress } as const
    this.log = new ReceptionLog((line) => host.log(line), host.audience, about)
    this.log.offered()
    const made = { transfer, entry, noClobber: false }
    this.partial = new Partial(host.storage, host.dir, guest.name, made)
  }

  /** Rejects where it is declined here, the name is taken, or the directory is gone. */
  async claim(): Promise<void> {
    const { host } = this.#place
    await new Approval(host.audience.accept).ask(this.log.offer, (text) =>
      this.log.line('error', 'accept-failed', { text }),
    )
    await host.claim(this.#guest)
    this.isClaimed = true
    await host.store.requireDirectory()
  }

  /** Other contents had better land on another disk, where this one was the cause. */
  failed({ code, text }: Failure, wasOpen: boolean): void {
    const { dataBytes: bytes } = this.#entry
    const { hasSpace: hadSpace } = this.#guest
    // Before the claim no disk was touched, whatever code the accept hook chose.
    if (this.isClaimed) this.#place.host.store.failed({ code, text, bytes, hadSpace, wasOpen })
  }

  /** Before a byte lands. */
  async startLog(spec: OwnLogSpec): Promise<void> {
    this.journal = await startLog(this.#place.host, this.partial, {
      ...spec,
      ...{ transfer: this.#transfer, entry: this.#entry, name: this.#guest.name },
      failed: (text) => this.log.line('warn', 'journal-failed', { text }),
    })
  }

  /** Once nothing uses the files. Resolves to whether somebody may go on with what is there. */
  async giveBack(): Promise<boolean> {
    const { partial, journal } = this
    const { host, over } = this.#place
    await journal?.stop()
    const { isSound, isPublished } = partial
    const isKept = isSound && !isPublished && journal?.isWorthKeeping === true
    if (this.isClaimed) {
      await releasePartial(host, partial, journal, isKept, (id, error) =>
        this.log.line('warn', 'discard-failed', {
          id,
          text: asFrError(error, 'ERR_FR_IO').message,
        }),
      )
      host.unclaim(this.#guest)
    }
    over()
    return isKept
  }
}
