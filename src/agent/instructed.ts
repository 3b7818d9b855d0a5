/** What a node does by order of its master, and what it tells it of what it holds. */
import { FrError } from '../base/errors.js'
import { encodeName } from '../protocol/manifest.js'
import type { GrowingHere } from '../session/growing-here.js'
import type { Place } from '../session/instructed/claimed-partial.js'
import type { LandingOffer } from '../session/instructed/filling.js'
import type { InstructedCopies, InstructedEvents } from '../session/instructed-ports.js'
import type { NodeHost } from '../session/receiver/node-host.js'
import type { Disk } from './disk.js'
import type { Disks } from './disks.js'
import { HeldHere } from './instructed/held-states.js'
import {
  type AnyFilling,
  OrderedCopies,
  type OrderedCopiesSpec,
} from './instructed/ordered-copies.js'

export interface InstructedSpec
  extends Pick<OrderedCopiesSpec, 'engine' | 'router' | 'pool' | 'dialler' | 'log'> {
  readonly disks: Disks
  readonly hostAt: (disk: Disk) => NodeHost
  /** Nothing is written there. */
  readonly isReadOnly: boolean
}

function* growingIn(disks: readonly Disk[]): IterableIterator<GrowingHere> {
  for (const { receptions } of disks)
    for (const { growing, isOpen } of receptions)
      if (isOpen && growing !== undefined && growing.failure === null) yield growing
}

export class Instructed {
  readonly held: HeldHere
  readonly #spec: InstructedSpec

  constructor(spec: InstructedSpec) {
    this.#spec = spec
    const { disks } = spec
    this.held = new HeldHere({
      stores: () => disks.likely(null).map(({ store }) => store),
      growing: () => [...growingIn(disks.likely(null))],
      freeBytes: () => disks.roomBytes(),
    })
  }

  /** For one master; its owner closes it before the node is closed. */
  copies(events: InstructedEvents): InstructedCopies {
    const { engine, router, pool, dialler, log, disks } = this.#spec
    const spec: OrderedCopiesSpec = {
      ...{ engine, router, pool, dialler, log },
      held: (name) => disks.likely(name).flatMap((disk) => disk.recordOf(name) ?? []),
      place: (content, filling) => this.#place(content, filling),
      changed: (filling) => this.held.filled(filling),
    }
    return new OrderedCopies(spec, events)
  }

  async #place(content: LandingOffer, filling: AnyFilling): Promise<Place> {
    const { disks, hostAt, isReadOnly } = this.#spec
    if (isReadOnly) throw new FrError('ERR_FR_READ_ONLY')
    const { fileDigest, digest } = content
    const offer = { role: 'receiver', fileDigest, digest } as const
    const entry = { ...content.entry, ...encodeName(filling.name) }
    const disk = await disks.placeFor({ offer, entry })
    disk.receptions.add(filling)
    const over = (): void => {
      disk.receptions.delete(filling)
      if (filling.isPublished) {
        disk.ended.keep(filling.growing)
        disks.published(filling.name, disk)
      }
      void disk.store.count()
    }
    return { host: hostAt(disk), number: disk.number, over }
  }
}
