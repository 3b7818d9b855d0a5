/**
 * What is held against the components of a push (members/faults.ts): its nodes and their disks, the
 * links from one to another, and sites, each by what is held against the links into it. A component
 * that is declared failed is named in a warning, once; what then goes another way is decided by
 * whoever charged it.
 *
 * Names are addresses as the caller wrote them, so that what is held against a node outlasts an
 * attempt.
 */
import type { FrErrorCode } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import {
  type Charge,
  type ComponentFault,
  FaultAccounts,
  fatal,
  faultView,
} from '../members/faults.js'
import type { Peer } from '../members/peer.js'
import { unopened } from '../members/reach.js'
import type { OriginOutbox } from './outbox.js'

/** Its kind, what it is called, and for a link where it leads. */
export type Component =
  | readonly [kind: 'node' | 'disk' | 'site', name: string]
  | readonly [kind: 'link', from: string, to: string]

/** Wrong blocks weigh so much that as many as the bound, within a short time, are enough. */
const wrongBlock = { cause: 'wrong block', weight: fatal / limits.spoiledBlocks }
/** As much against the links into a site counts as one fault of the site. */
const siteWeight = 1 / 3

export class OriginFaults {
  readonly #accounts = new FaultAccounts<string>()
  readonly #outbox: OriginOutbox
  readonly #named = new Set<string>()
  /** When somebody last asked for what is tried again. */
  #nowMs = 0

  constructor(outbox: OriginOutbox) {
    this.#outbox = outbox
  }

  /** It was silent for so long that others do its work. True: it fails by that. */
  fellSilent({ link: { address } }: Peer, nowMs: number): boolean {
    const text = `${address} falls silent again and again: ${noRelay}`
    return this.#charge(['node', address], text, { cause: 'silence' }, nowMs)
  }

  /**
   * Nothing goes from one to the other although both live. Links that were never opened are named
   * together, at the end (members/reach.ts).
   */
  linkLost(from: Peer, to: Peer, code: FrErrorCode, nowMs: number): void {
    const isOpened = !unopened.has(code)
    const text = isOpened ? `the link ${wayOf(from, to)} fails (${code}): ${noLink}` : null
    this.#linkFault(from, to, text, { cause: code, weight: fatal }, nowMs)
  }

  /** It works again before its time. */
  linkBack(from: Peer, to: Peer): void {
    this.#accounts.works(linkKey(from, to))
  }

  /**
   * A block was wrong at `to`, and right at `from`, that passes on to these others as well. True:
   * the link fails by that, and what was wrong there is not held against the node.
   */
  linkSpoils(from: Peer, to: Peer, others: readonly Peer[], nowMs: number): boolean {
    const text = `many wrong blocks came ${wayOf(from, to)}: ${noLink}`
    const charge = { ...wrongBlock, others: others.map((other) => linkKey(from, other)) }
    const isFailed = this.#linkFault(from, to, text, charge, nowMs)
    if (isFailed) this.#accounts.forgive(keyOf(['node', from.link.address]))
    return isFailed
  }

  /**
   * A block that came through this relay was wrong `at` some hop. `part`: its part in what it and
   * the others were dealt. True: it fails by that.
   */
  spoils(relay: Peer, at: string, others: readonly Peer[], part: number, nowMs: number): boolean {
    const { address } = relay.link
    const said = `many wrong blocks came through ${address}, the last one ${at}`
    const keys = others.map(({ link }) => keyOf(['node', link.address]))
    const charge = { ...wrongBlock, others: keys, part }
    return this.#charge(['node', address], `${said}: ${noRelay}`, charge, nowMs)
  }

  /**
   * An attempt of the node has ended. Since when there may be another: where its disk has failed
   * again and again that takes longer.
   */
  ended({ link: { address } }: Peer, code: FrErrorCode, nowMs: number): number {
    if (!ofDisk.has(code)) return nowMs
    const text = `the disk of ${address} fails again and again (${code}): ${noTry}`
    this.#charge(['disk', address], text, { cause: code }, nowMs)
    return this.#accounts.untilMs(keyOf(['disk', address])) ?? nowMs
  }

  isFailed(...component: Component): boolean {
    return this.#accounts.isFailed(keyOf(component))
  }

  /** Those that are tried again from now on. */
  retried(nowMs: number): Component[] {
    this.#nowMs = nowMs
    return this.#accounts.retried(nowMs).map(componentOf)
  }

  /** Those with most against them first, as it was at the last look. */
  view(): ComponentFault[] {
    const records = this.#accounts.records(this.#nowMs).slice(0, limits.faultsTold)
    return records.map(([key, record]) => faultView(componentOf(key), record))
  }

  #linkFault(
    from: Peer,
    to: Peer,
    text: string | null,
    charge: Charge<string>,
    nowMs: number,
  ): boolean {
    const { site } = to.link
    const component = ['link', from.link.address, to.link.address] as const
    const isFailed = this.#charge(component, text, charge, nowMs)
    if (site !== undefined && site !== from.link.site) {
      const said = `links into the site ${site} fail again and again`
      const { cause, weight = 1 } = charge
      this.#charge(['site', site], said, { cause, weight: weight * siteWeight }, nowMs)
    }
    return isFailed
  }

  #charge(
    component: Component,
    text: string | null,
    charge: Charge<string>,
    nowMs: number,
  ): boolean {
    const key = keyOf(component)
    if (!this.#accounts.charge(key, nowMs, charge)) return false
    const isKnown = this.#named.has(key) || this.#named.size >= limits.faultAccounts
    if (isKnown || text === null) return true
    this.#outbox.wish({ type: 'warn', event: `failed-${component[0]}`, text })
    this.#named.add(key)
    return true
  }
}

/** Why an attempt ends where the disk of the node is to blame. */
const ofDisk: ReadonlySet<FrErrorCode> = new Set([
  'ERR_FR_NO_SPACE',
  'ERR_FR_IO',
  'ERR_FR_DATA_DIR',
  'ERR_FR_DATA_DIR_GONE',
])
const noRelay = 'it is given nothing to relay for a while'
const noLink = 'nothing goes over it for a while'
const noTry = 'it is not tried again for a while'

function wayOf(from: Peer, to: Peer): string {
  return `from ${from.link.address} to ${to.link.address}`
}

function linkKey(from: Peer, to: Peer): string {
  return keyOf(['link', from.link.address, to.link.address])
}

function keyOf(component: Component): string {
  return JSON.stringify(component)
}

function componentOf(key: string): Component {
  return JSON.parse(key) as Component
}
