/**
 * The disk of a simulated node: what lies there before anything lands, and how long it takes over
 * what it is asked. While it hangs nothing comes back.
 */
import { type RangePair, RangeSet } from '../base/ranges.js'
import type { Found, NodeFact } from '../control/receiver/events.js'
import type { DigestSpec } from '../ports.js'
import type { ReceiverFiles } from '../session/driver/receiver.js'
import { signedRecords } from './codec.js'
import { SimFile, sumOf } from './content.js'
import type { SimHost } from './host.js'
import type { NodeInvariants } from './invariants.js'
import type { NodeScenario } from './scenario.js'
import type { Timeline } from './timeline.js'

/** What an earlier attempt has left on the disk of a node. */
export interface Left {
  readonly file: SimFile
  /** Verified blocks, as the journal has them, and the author's digests. */
  readonly held: readonly RangePair[]
  readonly signed: readonly DigestSpec[]
}

export interface DiskSpec {
  readonly timeline: Timeline
  readonly host: SimHost
  readonly scenario: NodeScenario
  readonly file: SimFile
  readonly scratch: SimFile
  readonly left: Left | undefined
  /** The author's digests that the node has. */
  readonly signed: DigestSpec[]
  readonly invariants: NodeInvariants
  readonly post: (fact: NodeFact) => void
  /** The partial is there. */
  readonly opened: () => void
}

export class SimDisk {
  publications = 0
  readonly #spec: DiskSpec
  readonly #before: SimFile
  #freeMs = 0
  /** Copied from older content. */
  readonly #filled = new RangeSet()

  constructor(spec: DiskSpec) {
    this.#spec = spec
    const { bytes, blockBytes } = spec.file
    this.#before = spec.left?.file ?? new SimFile(bytes, blockBytes)
  }

  /** Whatever it is asked takes until then. */
  hang(forMs: number): void {
    this.#freeMs = this.#spec.timeline.nowMs + forMs
  }

  files(): ReceiverFiles {
    const { timeline, host, scenario, file, scratch, invariants, post, opened } = this.#spec
    return {
      prepare: () =>
        timeline.after(scenario.prepareMs, () => {
          if (scenario.trouble === 'refuses')
            return post({ type: 'fileFailed', code: 'ERR_FR_NO_SPACE', text: 'no space' })
          host.run(opened)
          post({ type: 'prepared', ...this.#found() })
        }),
      bring: (ranges) => this.#bring(ranges),
      fill: ({ kind, offset, length }) =>
        this.#after(scenario.hashMs, () => {
          const fills = kind === 'pages' ? RangeSet.of(scenario.fills ?? []) : new RangeSet()
          const ranges = fills.present(offset, length)
          for (const range of ranges) this.#filled.add(...range)
          post({ type: 'filled', offset, length, ranges })
        }),
      hash: ({ part, offset, length }) =>
        this.#after(scenario.hashMs, () => {
          const digests = (part === 'scratch' ? scratch : file).digests(offset, length)
          if (part === 'scratch') scratch.clean(offset, length)
          post({ type: 'hashed', part, offset, length, digests })
        }),
      copyIn: (offset, length) => {
        invariants.copying(offset, length)
        this.#after(1, () => {
          invariants.copied(offset, length)
          file.clean(offset, length)
          post({ type: 'copied', offset, length })
        })
      },
      sum: sumOf,
      publish: () => this.#after(scenario.publishMs, () => this.#publish()),
    }
  }

  /** What was there is part of the file from now on. */
  hold(offset: number, length: number): void {
    const { file, invariants } = this.#spec
    invariants.holding(offset, length)
    if (this.#filled.contains(offset, length)) return this.#fill(offset, length)
    for (let at = offset; at < offset + length; at += file.blockBytes) {
      // What is in another file is not there before it is brought.
      const { left, scenario } = this.#spec
      const isElsewhere = left === undefined && scenario.found === 'elsewhere'
      const isWrong = isElsewhere || this.#before.isWrong(at / file.blockBytes)
      file.land(at, Math.min(file.blockBytes, offset + length - at), isWrong)
    }
  }

  #fill(offset: number, length: number): void {
    const { file, scenario } = this.#spec
    for (let at = offset; at < offset + length; ) {
      const block = Math.floor(at / file.blockBytes)
      const end = Math.min(offset + length, (block + 1) * file.blockBytes)
      file.land(at, end - at, scenario.staleFills?.includes(block) === true)
      at = end
    }
  }

  #bring(ranges: readonly RangePair[]): void {
    const { file } = this.#spec
    for (const [offset, length] of ranges)
      for (let at = offset; at < offset + length; at += file.blockBytes)
        if (!this.#before.isWrong(at / file.blockBytes)) file.clean(at, 1)
  }

  /** What is in its file already, and the digests that it has of that. */
  #found(): Found {
    const { left, file, scenario, signed } = this.#spec
    if (left !== undefined) return this.#foundOf(left)
    const { holds = [], found = 'held', stale = [] } = scenario
    const { bytes, blockBytes } = file
    for (const block of stale) {
      const at = block * blockBytes
      this.#before.land(at, Math.min(blockBytes, bytes - at), true)
    }
    for (const run of holds) this.#before.land(...run, false)
    // Of unread blocks it is known what they should be.
    const read = found === 'unread' ? new SimFile(bytes, blockBytes) : this.#before
    const runs = runsOf(holds, read)
    // A mirror has them as their author has signed them.
    if (scenario.isMirror) signed.push(...runs.flatMap((run) => signedRecords(file, run)))
    const hasOlder = (scenario.fills ?? []).length > 0
    return { [found]: runs, ...(hasOlder && { olderBytes: file.bytes }) }
  }

  /** What the journal of the last process names it knows, or has to read again. */
  #foundOf({ file, held }: Left): Found {
    const isUnread = this.#spec.scenario.restart?.rereads === true
    const read = isUnread ? new SimFile(file.bytes, file.blockBytes) : file
    return { [isUnread ? 'unread' : 'held']: runsOf(held, read) }
  }

  #after(ms: number, run: () => void): void {
    const { timeline } = this.#spec
    timeline.at(Math.max(timeline.nowMs, this.#freeMs) + ms, run)
  }

  #publish(): void {
    const { host, invariants, post } = this.#spec
    if (host.isDead) return
    this.publications++
    invariants.published()
    post({ type: 'published', warnings: [] })
  }
}

function runsOf(ranges: readonly RangePair[], read: SimFile) {
  return ranges.map(([offset, length]) => {
    return { offset, length, digests: read.digests(offset, length) }
  })
}
