/** A network and an engine that answer when a test says so, and note what was wanted of them. */
import type { FrError, FrErrorCode } from '../../../../src/base/errors.js'
import type { Frame, Mate } from '../../../../src/control/messages/types.js'
import type {
  CutSpec,
  DigestSpec,
  FeedHandle,
  ForgetSpec,
  GrowSpec,
  SendSpec,
  TransferHandle,
} from '../../../../src/ports.js'
import type {
  Connection,
  DialEvents,
  FeedEngine,
  Link,
  LinkEvents,
  Net,
  Target,
} from '../../../../src/session/driver/ports.js'
import type { Way } from '../../../../src/session/driver/way.js'

export const mateOf = (number: number): Mate => ({
  number,
  nodeId: String(number).padStart(32, '0'),
  address: `node${number}:1`,
})

export const wayTo = (number: number): Way => ({
  address: `node${number}:1`,
  edge: { id: 'e'.repeat(32), secret: new Uint8Array(32) },
})

export class PretendConnection implements Connection {
  isClosed = false

  close(): void {
    this.isClosed = true
  }
}

export class PretendLink implements Link {
  readonly said: Frame[] = []
  isOpen = true
  readonly events: LinkEvents

  constructor(events: LinkEvents) {
    this.events = events
  }

  send(frame: Frame): boolean {
    if (this.isOpen) this.said.push(frame)
    return this.isOpen
  }

  waitFor(): void {}

  close(closed?: () => void): void {
    this.isOpen = false
    closed?.()
  }

  destroy(): void {
    this.isOpen = false
  }

  goOn(): void {}

  giveUp(code: FrErrorCode, text: string): void {
    this.isOpen = false
    this.events.onClose(code, text)
  }
}

export class PretendNet implements Net {
  readonly dialled: { readonly target: Target; readonly events: DialEvents }[] = []
  readonly links: PretendLink[] = []
  readonly adopted: { readonly feed: FeedHandle; readonly direction: 'in' | 'out' }[] = []
  /** For each connection that became one more flow, of which feed. */
  readonly beside: FeedHandle[] = []
  /** What the next connection that is adopted turns out to be. */
  broken: FrError | undefined
  isEnded = false

  get channels(): string[] {
    return this.dialled.map(({ target }) => `${target.channel} to ${target.to}`)
  }

  /** The last dial succeeds. */
  answer(): PretendConnection {
    const connection = new PretendConnection()
    this.dialled.at(-1)?.events.opened(connection, 1, null)
    return connection
  }

  /** The last dial fails. */
  refuse(isFinal = false): void {
    this.dialled.at(-1)?.events.failed({ code: 'ERR_FR_UNREACHABLE', text: 'refused', isFinal })
  }

  dial(target: Target, events: DialEvents): void {
    this.dialled.push({ target, events })
  }

  reach(): void {}

  link(_: Connection, events: LinkEvents): PretendLink {
    const link = new PretendLink(events)
    this.links.push(link)
    return link
  }

  adopt(_: Connection, direction: 'in' | 'out', beside?: FeedHandle): FeedHandle {
    if (this.broken !== undefined) throw this.broken
    if (beside !== undefined) {
      this.beside.push(beside)
      return beside
    }
    const feed = this.adopted.length
    this.adopted.push({ feed, direction })
    return feed
  }

  end(): void {
    this.isEnded = true
  }
}

export class PretendEngine implements FeedEngine {
  readonly sent: { readonly feed: FeedHandle; readonly spec: SendSpec }[] = []
  readonly relayed: DigestSpec[] = []
  readonly closed: FeedHandle[] = []

  setRoute(): void {}

  assign(): void {}

  hold(): void {}

  skip(): void {}

  send(feed: FeedHandle, spec: SendSpec): void {
    this.sent.push({ feed, spec })
  }

  sendDigests(): void {}

  relayDigests(_: TransferHandle, spec: DigestSpec): void {
    this.relayed.push(spec)
  }

  readonly grown: GrowSpec[] = []
  readonly cuts: CutSpec[] = []
  readonly forgotten: ForgetSpec[] = []

  grow(_: TransferHandle, spec: GrowSpec): void {
    this.grown.push(spec)
  }

  cut(_: TransferHandle, spec: CutSpec): void {
    this.cuts.push(spec)
  }

  forget(_: TransferHandle, spec: ForgetSpec): void {
    this.forgotten.push(spec)
  }

  readonly limited: [feeds: readonly FeedHandle[], rate: number | undefined][] = []

  limitFeeds(feeds: readonly FeedHandle[], rate: number | undefined): void {
    this.limited.push([feeds, rate])
  }

  close(feed: FeedHandle): void {
    this.closed.push(feed)
  }

  stats(): never {
    throw new Error('nobody counts here')
  }
}
