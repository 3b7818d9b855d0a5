/**
 * What both ends of a transfer do for their machines alike: wishes about other members are carried
 * out, and what happens to members is posted as facts. Whatever only one end knows (files, the
 * caller, answers to mates that ask) is the session's own.
 *
 * After `hangUp` no fact about a member is posted any more, unless it is readmitted.
 */
import { type Failure, FrError, type FrErrorCode } from '../../base/errors.js'
import type {
  Fact,
  MemberFact,
  MemberWish,
  PaceWish,
  ReadmitWish,
  RedialWish,
  UnfeedOutWish,
} from '../../control/messages/facts.js'
import type { Frame, PlanFrame } from '../../control/messages/types.js'
import type { FeedHandle } from '../../ports.js'
import type { Neighbour, Neighbours } from './neighbours.js'
import type { Clock, LinkEvents, Net, Target } from './ports.js'
import { Redials } from './redials.js'
import type { Samples } from './samples.js'
import type { Way } from './way.js'

export interface ExecutorHooks {
  readonly post: (fact: Fact) => void
  /** How a link to this member is dialled. */
  readonly targetOf: (member: number) => Target
  /** How a data connection to this member is opened. */
  readonly wayTo: (member: number) => Way
}

/** Who lists bytes for members by itself, beside the machine. It is told first. */
export interface Servant {
  /** A data connection to the member is open. */
  fedOut(member: Neighbour, feed: FeedHandle): void
  /** A data connection to the member has ended, or could not be opened. */
  unfed(member: Neighbour): void
  /** The member takes no part any more. */
  gone(member: Neighbour): void
}

export class Executor {
  readonly #clock: Clock
  readonly #net: Net
  readonly #neighbours: Neighbours
  readonly #samples: Samples
  readonly #silenceMs: number
  readonly #hooks: ExecutorHooks
  readonly #servant: Servant | undefined
  /** Links that still say what was left to say. */
  #closing = 0
  #released: (() => void) | undefined
  /** Of control links. */
  readonly #redials = new Map<Neighbour, Redials>()

  /** `silenceMs`: how long a control link waits for a silent peer. */
  constructor(
    ports: { readonly clock: Clock; readonly net: Net },
    neighbours: Neighbours,
    samples: Samples,
    silenceMs: number,
    hooks: ExecutorHooks,
    servant?: Servant,
  ) {
    this.#clock = ports.clock
    this.#net = ports.net
    this.#neighbours = neighbours
    this.#samples = samples
    this.#silenceMs = silenceMs
    this.#hooks = hooks
    this.#servant = servant
  }

  execute(wish: MemberWish | PaceWish | ReadmitWish | RedialWish | UnfeedOutWish): void {
    switch (wish.type) {
      case 'connect':
        return this.#connect(this.#neighbours.of(wish.member))
      case 'say':
        if (wish.frame.type === 'plan') this.#reach(wish.frame)
        return void this.#neighbours.of(wish.member).link?.send(wish.frame)
      case 'feed':
        return this.#feed(this.#neighbours.of(wish.member))
      case 'hangUp':
        return this.#hangUp(this.#neighbours.of(wish.member))
      case 'readmit':
        return this.#readmit(this.#neighbours.of(wish.member))
      case 'redial':
        return this.#redials.get(this.#neighbours.of(wish.member))?.doubt()
      case 'unfeedOut':
        return this.#unfeedOut(this.#neighbours.of(wish.member))
      case 'pace':
        return this.#neighbours.pace(wish.sets)
      case 'sample':
        return this.sample()
      default:
        return wish satisfies never
    }
  }

  /** Gateways hear whom members are to reach through them before the members do. */
  #reach({ members }: PlanFrame): void {
    for (const { address, via, through } of members) {
      if (address === undefined || via === undefined) continue
      this.#net.reach(via, [address])
      if (through !== undefined) this.#net.reach(through, [via])
    }
  }

  sample(): void {
    const nowMs = this.#clock.nowMs()
    const sample = this.#samples.take(nowMs)
    if (sample === undefined) return
    this.#neighbours.widen(this.#samples.feeds, nowMs, this.#hooks.wayTo)
    this.#hooks.post({ type: 'sampled', sample })
  }

  /** The engine has closed a data connection; null: cleanly. */
  closed(feed: FeedHandle, code: FrErrorCode | null): void {
    const member = this.#neighbours.byFeed(feed)
    if (member === undefined) return
    if (member.feedOut !== feed) this.#samples.ends(feed)
    const out = this.#neighbours.closed(feed)?.out
    if (out === undefined) this.#post('in', member, code, null)
    else this.unfed(member, out.isWished, code, null)
  }

  /** This side closes the data connection from the member, if there is one. */
  unfeed(member: Neighbour): void {
    if (member.fedBy.state === 'open') this.#samples.ends(member.fedBy.feed)
    this.#neighbours.unfeed(member)
  }

  /** Another data connection of the member takes the place of the one that is open, if one is. */
  replaces(member: Neighbour): void {
    const { state } = member.fedBy
    this.unfeed(member)
    if (state === 'open') this.#post('in', member, 'ERR_FR_NODE_LOST', 'another took its place')
  }

  /** All that is open to the member ends, as if it had broken for good. */
  part(member: Neighbour): void {
    const { link, asked, fedBy } = member
    if (member.feedOut !== undefined) this.#unfeedOut(member)
    const wasFed = fedBy.state !== 'none'
    this.unfeed(member)
    if (wasFed) this.#post('in', member, 'ERR_FR_AUTH', 'it is not authorized any more')
    member.asked = undefined
    asked?.link.destroy()
    if (link === undefined) return
    member.link = undefined
    link.destroy()
    const why = { code: 'ERR_FR_AUTH', text: 'it is not authorized any more' } as const
    this.#hooks.post({ type: 'unlinked', member: member.number, ...why })
  }

  /** A data connection to the member has ended. `isWished`: by the machine. */
  unfed(member: Neighbour, isWished: boolean, code: FrErrorCode | null, text: string | null): void {
    this.#servant?.unfed(member)
    if (isWished) this.#post('out', member, code, text)
  }

  #unfeedOut({ feedOut }: Neighbour): void {
    if (feedOut === undefined) return
    this.closed(feedOut, 'ERR_FR_NODE_LOST')
    this.#neighbours.close(feedOut)
  }

  /** Hangs up on everybody; `released` once what was said is out, or never will be. */
  release(released: () => void): void {
    for (const member of this.#neighbours.all) this.#hangUp(member)
    this.#neighbours.end()
    this.#released = () => {
      this.#net.end()
      released()
    }
    if (this.#closing === 0) this.#released()
  }

  #post(
    direction: 'in' | 'out',
    { number: member }: Neighbour,
    code: FrErrorCode | null,
    text: string | null,
  ): void {
    this.#hooks.post({ type: 'unfed', member, direction, code, text })
  }

  #connect(member: Neighbour): void {
    const { post, targetOf } = this.#hooks
    const { number } = member
    const target = targetOf(number)
    const failed = ({ code, text }: Failure): void => {
      if (!member.isRefused) post({ type: 'unlinked', member: number, code, text })
    }
    this.#net.dial(target, {
      lookUpBegan: () => post({ type: 'lookUpBegan', member: number }),
      lookUpEnded: () => post({ type: 'lookUpEnded', member: number }),
      opened: (connection, rttMs, peer) => {
        if (this.#neighbours.isEnded || member.isRefused) return connection.close()
        member.link = this.#neighbours.link(connection, this.#events(member, target), failed)
        if (member.link === undefined) return
        this.#redials.get(member)?.begin(member.link)
        if (target.channel === 'control') member.link.waitFor(this.#silenceMs)
        post({ type: 'linked', member: number, rttMs, nodeId: '', ...peer })
      },
      failed,
    })
  }

  /** On a pull link that this side dialled only answers come. */
  #events(one: Neighbour, target: Target): LinkEvents {
    const { number: member } = one
    const post = (fact: MemberFact): void => {
      if (!one.isRefused) this.#hooks.post(fact)
    }
    const onClose = (code: FrErrorCode, text: string): void => {
      this.#redials.get(one)?.end()
      post({ type: 'unlinked', member, code, text })
    }
    const said = (frame: Frame): void => post({ type: 'said', member, frame })
    if (target.channel === 'control') {
      const ports = { clock: this.#clock, net: this.#net }
      const redials = new Redials(ports, target, () => post({ type: 'linkBack', member }))
      this.#redials.set(one, redials)
      const heard = (frame: Frame): void => {
        redials.heard()
        said(frame)
      }
      const onBroken = (code: FrErrorCode, text: string): void => {
        post({ type: 'linkBroke', member, text })
        redials.broke({ code, text })
      }
      const lastWord = (code: FrErrorCode, text: string): Frame => ({ type: 'abort', code, text })
      return { onFrame: heard, onClose, onBroken, lastWord }
    }
    const onFrame = (frame: Frame): void => {
      if (frame.type !== 'holding' && frame.type !== 'pullRefused' && frame.type !== 'beat')
        throw new FrError('ERR_FR_PROTOCOL', `unexpected frame '${frame.type}' on a pull link`)
      said(frame)
    }
    return { onFrame, onClose }
  }

  #feed(member: Neighbour): void {
    const way = this.#hooks.wayTo(member.number)
    this.#neighbours.open(member, way, true, {
      opened: (feed, lacking) => {
        this.#servant?.fedOut(member, feed)
        this.#hooks.post({ type: 'fedOut', member: member.number, lacking })
      },
      failed: ({ code, text }) => this.unfed(member, true, code, text),
    })
  }

  #readmit(member: Neighbour): void {
    if (member.isRefused) member.out = { state: 'none' }
  }

  #hangUp(member: Neighbour): void {
    this.#servant?.gone(member)
    this.#neighbours.refuse(member)
    const { link, asked } = member
    member.link = undefined
    member.asked = undefined
    asked?.link.destroy()
    if (link === undefined) return
    this.#closing++
    link.close(() => {
      this.#redials.get(member)?.end()
      this.#closing--
      if (this.#closing === 0) this.#released?.()
    })
  }
}
