/** A node that has a master: the link to it, and the copies that it orders. */
import type { Logger } from '../../base/log.js'
import type { InstructedCopies } from '../../session/instructed-ports.js'
import type { NodeService } from '../node-service.js'
import { MasterLink } from './master-link.js'
import { RequiredList } from './required-file.js'

export interface NodeMasterSpec {
  /** HOST:PORT of each master. */
  readonly addresses: readonly string[]
  /** HOST:PORT that others dial; absent: the one it listens on. */
  readonly advertise: string | undefined
  /** The first data directory; null: nothing may be written there. */
  readonly keptIn: string | null
  readonly log: Logger
  /** What it has to hold has changed. */
  readonly required: () => void
}

export class NodeMaster {
  readonly #link: MasterLink
  readonly #copies: InstructedCopies

  /** Of a service that listens. */
  constructor(
    service: NodeService,
    { addresses, advertise, keptIn, log, required }: NodeMasterSpec,
  ) {
    this.#copies = service.instructed.copies({
      ended: (copy, ended) => this.#link.ended(copy, ended),
    })
    this.#link = new MasterLink({
      ...{
        addresses,
        log,
        requires: required,
        copies: this.#copies,
        held: service.instructed.held,
      },
      dialler: () => service.dialler(),
      enlisting: () => {
        const { upBytesPerSecond: up, downBytesPerSecond: down } = service.limited.stated
        return { address: advertise ?? service.address, up: up ?? null, down: down ?? null }
      },
      list: keptIn === null ? null : new RequiredList(keptIn),
    })
  }

  get status() {
    const { isLinked, fault, master: address } = this.#link.status
    return { address, isLinked, fault, required: this.#link.required.length }
  }

  /** It wants this name here; null: that is not known yet. */
  requires(name: string): boolean | null {
    return this.#link.requiredNames?.has(name) ?? null
  }

  start(): void {
    this.#link.start()
  }

  /** Before the service; idempotent. */
  async close(): Promise<void> {
    await this.#link.close()
    await this.#copies.close()
  }
}
