/**
 * A node's way up: which parent it has, and where it looks for one.
 *
 * States: alone (until it dials again) -> dialling -> asking -> joined; from each of the last three
 * back to alone. Whoever has lost its parent tries that one again, then the parent of that one,
 * those it was told of, and the deputy of the root.
 *
 * While it is asking a node takes no children and approves nobody: see tree.ts for why that keeps
 * the directory without loops.
 */
import type { FrErrorCode } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { backoffMs } from '../members/backoff.js'
import type { DirectoryPeer, Room, TreeFrame } from '../messages/directory.js'
import type { DirectorySpec, DirectoryWish } from './facts.js'

type Said = Extract<TreeFrame, { type: 'lineage' }>

type State =
  | { readonly is: 'alone'; readonly retryMs: number }
  | { readonly is: 'dialling'; readonly address: string; readonly untilMs: number }
  | ({ readonly is: 'asking'; readonly link: number; readonly untilMs: number } & DirectoryPeer)
  | ({ readonly is: 'joined'; readonly link: number; riseMs: number } & DirectoryPeer)

const rise = { firstMs: limits.riseMs, mostMs: limits.riseMsMax }
const redial = { firstMs: limits.parentRedialMs, mostMs: limits.parentRedialMsMax }

export class Lineage {
  readonly #spec: DirectorySpec
  readonly #wish: (wish: DirectoryWish) => void
  #state: State
  /** Ids from the root to the parent. */
  #path: readonly string[] = []
  #grandparent: string | null = null
  #deputy: string | null
  /** A place nearer to the root. */
  #room: Room | null = null
  /** Where it is dialled for a place nearer to the root; the parent is one until then. */
  #rising: string | null = null
  /** Nodes that were above it before it went for such a place, while it has none. */
  #leftDepth: number | null = null
  #rises = 0
  /** Where it is dialled next, before all others of the round. */
  #next: string[] = []
  #tries = 0
  #passed = 0
  #aloneSinceMs: number
  #noted = ''
  #text: string

  constructor(spec: DirectorySpec, wish: (wish: DirectoryWish) => void, nowMs: number) {
    this.#spec = spec
    this.#wish = wish
    this.#deputy = spec.deputy
    this.#text = `${spec.deputy}`
    this.#aloneSinceMs = nowMs
    this.#state = { is: 'alone', retryMs: this.#round().length === 0 ? Infinity : nowMs }
  }

  /** Ids from the root to the parent; empty: this node is a root. */
  get path(): readonly string[] {
    return this.#path
  }

  /** What each child is told, in one text, but for its room. */
  get text(): string {
    return this.#text
  }

  /** Nodes above this one, which looks for a place with fewer; null: for any. */
  get depthToLeave(): number | null {
    return this.parent === null ? this.#leftDepth : this.#path.length
  }

  get deputy(): string | null {
    return this.#deputy
  }

  get parent(): (DirectoryPeer & { readonly link: number }) | null {
    return this.#state.is === 'joined' ? this.#state : null
  }

  get isAsking(): boolean {
    return this.#state.is === 'asking'
  }

  /** Why there is no parent. */
  get fault(): string {
    return this.#noted
  }

  get dueMs(): number {
    const state = this.#state
    if (state.is === 'joined') return state.riseMs
    return state.is === 'alone' ? state.retryMs : state.untilMs
  }

  /** It has no parent, and will not have one soon: it decides as a root. */
  isRoot(nowMs: number): boolean {
    if (this.#state.is === 'joined' || this.isAsking) return false
    return this.#spec.parents.length === 0 || nowMs >= this.rootMs
  }

  /** When it decides as a root if it finds no parent. */
  get rootMs(): number {
    return this.#aloneSinceMs + limits.orphanMs
  }

  isOf(link: number): boolean {
    const state = this.#state
    return (state.is === 'asking' || state.is === 'joined') && state.link === link
  }

  /** What a child is told of those above it. */
  saidTo(nodeId: string, room: Room | null): Said {
    const { path, deputy, parent } = this
    const grandparent = parent?.address ?? null
    return { type: 'lineage', path: [...path, nodeId], grandparent, deputy, room }
  }

  /** What is told to a child beside which there is a place so many steps down; null: none. */
  roomBeside(steps: number | null): Room | null {
    const known = this.#room
    const depth = this.#path.length + (steps ?? Infinity)
    if (known !== null && known.depth <= depth) return known
    return depth < limits.treeDepth ? { depth, address: null } : null
  }

  opened(link: number, peer: DirectoryPeer, enroll: TreeFrame, nowMs: number): void {
    if (this.#state.is === 'joined' && peer.address === this.#rising) this.#leave(nowMs)
    else if (this.#state.is !== 'dialling') return this.#wish({ type: 'hangUp', link })
    this.#rising = null
    const { nodeId, address } = peer
    this.#state = { is: 'asking', link, nodeId, address, untilMs: nowMs + limits.enrollMs }
    this.#wish({ type: 'say', link, frame: enroll })
  }

  failed(address: string, code: FrErrorCode, text: string, nowMs: number): void {
    if (this.#state.is === 'dialling' && this.#state.address === address)
      this.#away(code, text, nowMs)
    if (this.#rising === address) this.#rising = null
    if (this.#state.is === 'joined') this.#planToRise(this.#state, nowMs)
  }

  /** True: there is a parent that there was not before. */
  said(frame: Said, nowMs: number): boolean {
    const state = this.#state
    if (state.is !== 'asking' && state.is !== 'joined') return false
    if (frame.path.includes(this.#spec.nodeId) || frame.path.length > limits.treeDepth) {
      // Never from nodes that keep to the rules.
      this.lost('ERR_FR_TREE_LOOP', 'the parent is below this node', nowMs)
      return false
    }
    this.#path = frame.path
    this.#grandparent = frame.grandparent
    this.#deputy = frame.deputy
    this.#room = frame.room && { ...frame.room, address: frame.room.address ?? state.address }
    const { depth = '', address: place = '' } = this.#room ?? {}
    this.#text = `${frame.path.join()} ${state.address} ${frame.deputy} ${depth} ${place}`
    if (state.is === 'joined') {
      this.#planToRise(state, nowMs)
      return false
    }
    const { link, nodeId, address } = state
    const joined = { is: 'joined', link, nodeId, address, riseMs: Infinity } as const
    this.#state = { ...joined }
    this.#planToRise(this.#state, nowMs)
    this.#noted = ''
    this.#tries = 0
    this.#passed = 0
    this.#leftDepth = null
    this.#next = []
    this.#wish({ type: 'note', note: { about: 'parent', nodeId, address } })
    return true
  }

  /** The node that was asked sends this one further down. */
  passedDown({ address }: DirectoryPeer, nowMs: number): void {
    const state = this.#state
    if (state.is !== 'asking') return
    this.#wish({ type: 'hangUp', link: state.link })
    if (++this.#passed > limits.passedDown || address === this.#spec.address)
      return this.#away('ERR_FR_LIMIT', 'passed down again and again', nowMs)
    this.#dial(address, nowMs)
  }

  /** The parent is gone, or has refused. Hangs up where it did not. */
  lost(code: FrErrorCode, text: string, nowMs: number): void {
    const state = this.#state
    if (state.is !== 'asking' && state.is !== 'joined') return
    this.#wish({ type: 'hangUp', link: state.link })
    if (state.is === 'joined') this.#parted(state, nowMs)
    this.#away(code, text, nowMs)
  }

  /** Where it is looked first for another parent. */
  #parted({ address }: DirectoryPeer, nowMs: number): void {
    this.#aloneSinceMs = nowMs
    this.#next = [address]
    if (this.#grandparent !== null) this.#next.push(this.#grandparent)
  }

  /** For a place that is nearer to the root, whose link is there. */
  #leave(nowMs: number): void {
    const state = this.#state
    if (state.is !== 'joined') return
    this.#wish({ type: 'hangUp', link: state.link })
    this.#parted(state, nowMs)
    this.#leftDepth = this.#path.length
    this.#forgetPath()
  }

  /** All wait for another time: of those that know of a place one of the first has it. */
  #planToRise(state: Extract<State, { is: 'joined' }>, nowMs: number): void {
    const { depth, address } = this.#room ?? { depth: Infinity, address: null }
    const isWorthIt = this.#path.length - (depth + 1) >= limits.riseSteps
    const isThere = isWorthIt && address !== this.#spec.address && this.#rising === null
    if (!isThere) state.riseMs = Infinity
    else if (state.riseMs === Infinity)
      state.riseMs = nowMs + backoffMs(rise, this.#rises + 1, this.#spec.seed)
  }

  due(nowMs: number): void {
    const state = this.#state
    if (this.dueMs > nowMs) return
    if (state.is === 'joined') {
      this.#rises += 1
      state.riseMs = Infinity
      this.#rising = this.#room?.address ?? null
      if (this.#rising !== null) this.#wish({ type: 'dial', kind: 'parent', address: this.#rising })
      return
    }
    if (state.is === 'asking') return this.lost('ERR_FR_TIMEOUT', 'no answer in time', nowMs)
    if (state.is === 'dialling') return this.#away('ERR_FR_TIMEOUT', 'not reached', nowMs)
    if (this.#next.length === 0) this.#next = this.#round()
    const address = this.#next.shift()
    if (address !== undefined) this.#dial(address, nowMs)
  }

  #dial(address: string, nowMs: number): void {
    this.#state = { is: 'dialling', address, untilMs: nowMs + 2 * limits.enrollMs }
    this.#wish({ type: 'dial', kind: 'parent', address })
  }

  /** All places to look at, each once. */
  #round(): string[] {
    const { parents, address } = this.#spec
    const places = [...this.#next, ...parents]
    if (this.#deputy !== null && this.#spec.deputy === null) places.push(this.#deputy)
    return [...new Set(places)].filter((place) => place !== address)
  }

  #forgetPath(): void {
    this.#path = []
    this.#room = null
    this.#text = `${this.#deputy}`
    this.#passed = 0
  }

  #away(code: FrErrorCode, text: string, nowMs: number): void {
    this.#forgetPath()
    this.#leftDepth = null
    const said = `${code} ${text}`
    if (said !== this.#noted) this.#wish({ type: 'note', note: { about: 'orphan', code, text } })
    this.#noted = said
    if (this.#next.length === 0) {
      this.#next = this.#round()
      this.#tries += 1
    }
    const isNowhere = this.#next.length === 0
    const waitMs = backoffMs(redial, Math.max(1, this.#tries), this.#spec.seed)
    this.#state = { is: 'alone', retryMs: isNowhere ? Infinity : nowMs + waitMs }
  }
}
