/**
 * What an engine may move in one direction, and how its transfers share it: the same rules as
 * native/core/lane/budget.h, on timers. A budget has a rate or none, and each transfer an account
 * with a weight and perhaps a rate of its own. What time brings goes to the accounts that are
 * asking, by weight; what one of them has no room for goes to the others.
 *
 * Feeds of a transfer take in turn: who has been served goes behind those that wait.
 */
import { limits } from '../../base/limits.js'

/** What can be saved up, of a rate. */
const burstSeconds = 0.025
/** Never so little that it rounds to nothing: a byte, and what is counted of the next. */
const burstLeastBytes = 2
/** What an account may hold of that, however small its share, to use what others leave. */
const heldSeconds = 0.008
const paceMs = 4
/** An account that has not asked for so long has no share and gives back what it has. */
const idleMs = 50
/**
 * Less than this is not worth a record; all together may hold half of a burst and wait for more.
 */
const leastBytes = 256
const leastSeconds = 0.003
const rounds = 4

interface Waiting {
  readonly want: number
  readonly grant: (bytes: number) => void
}

/** The smaller of two limits, 0 where there is none. */
function least(a: number, b: number): number {
  return a === 0 || b === 0 ? Math.max(a, b) : Math.min(a, b)
}

function burstOf(rate: number): number {
  return rate === 0 ? 0 : Math.max(burstLeastBytes, rate * burstSeconds)
}

export class Account {
  weight: number = limits.priority
  ownRate = 0
  /** What time has brought of the own rate. */
  own = 0
  left = 0
  least = 1
  askedMs = Number.NEGATIVE_INFINITY
  readonly #budget: Budget
  readonly #waiting: Waiting[] = []
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(budget: Budget) {
    this.#budget = budget
  }

  /** Bytes a second at most, all others at rest; 0: nothing limits this transfer. */
  get rate(): number {
    return least(this.#budget.rate, this.ownRate)
  }

  get isPaced(): boolean {
    return this.rate !== 0
  }

  get hasEnough(): boolean {
    return this.left >= Math.max(1, this.least)
  }

  /**
   * Resolves with how many of `want` bytes may be moved, which are paid with that; 0 when the
   * transfer is closed.
   */
  take(want: number): Promise<number> {
    return new Promise((grant) => {
      this.#waiting.push({ want, grant })
      this.#serve()
    })
  }

  /** Pays for bytes that were moved without asking; below zero: gives back what was not moved. */
  pay(bytes: number): void {
    if (this.isPaced) this.left = Math.min(this.left - bytes, burstOf(this.rate))
  }

  /** Lets everybody go who waits. */
  close(): void {
    this.#isClosed = true
    this.#budget.close(this)
    this.#serve()
  }

  /** What was saved under another rate counts only as far as it may be saved under this one. */
  bound(): void {
    this.left = Math.min(this.left, burstOf(this.rate))
    this.own = Math.min(this.own, burstOf(this.ownRate))
    this.#serve()
  }

  #serve(): void {
    while (this.#waiting.length > 0) {
      const granted = this.#granted(this.#waiting[0]?.want ?? 0)
      if (granted === undefined) break
      this.#waiting.shift()?.grant(granted)
    }
    if (this.#waiting.length === 0 || this.#timer !== undefined) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#serve()
    }, paceMs)
  }

  #granted(want: number): number | undefined {
    if (this.#isClosed) return 0
    if (!this.isPaced) return want
    this.askedMs = performance.now()
    if (!this.hasEnough) this.#budget.fill(this.askedMs)
    if (!this.hasEnough) return undefined
    const granted = Math.min(want, Math.floor(this.left))
    this.left -= granted
    return granted
  }
}

/** What one record costs at all the accounts that limit it. */
export class Toll {
  #paid: { readonly account: Account; bytes: number }[] = []

  /**
   * Resolves with how many of `want` bytes may be moved, which are paid with that at each account
   * that is paced now. To be followed by `settle`.
   */
  async take(accounts: readonly Account[], want: number): Promise<number> {
    this.#paid = accounts.filter(({ isPaced }) => isPaced).map((account) => ({ account, bytes: 0 }))
    let most = want
    if (want === 0) return 0
    for (const one of this.#paid) {
      one.bytes = await one.account.take(most)
      most = Math.min(most, one.bytes)
    }
    return most
  }

  /** Pays for what has been moved beyond what was taken, and gives back what has not. */
  settle(moved: number): void {
    for (const { account, bytes } of this.#paid) account.pay(moved - bytes)
    this.#paid = []
  }
}

export class Budget {
  rate = 0
  readonly #accounts = new Set<Account>()
  /** What time has brought and nobody had room for. */
  #pool = 0
  #filledMs = 0

  open(): Account {
    const account = new Account(this)
    this.#accounts.add(account)
    return account
  }

  close(account: Account): void {
    this.#accounts.delete(account)
  }

  /** Bytes a second; 0: no limit. */
  setRate(rate: number): void {
    this.rate = rate
    this.#pool = Math.min(this.#pool, burstOf(rate))
    for (const account of this.#accounts) account.bound()
  }

  fill(nowMs: number): void {
    const passedMs = Math.max(0, nowMs - this.#filledMs)
    // After a rest nothing is saved up: what a receiver's socket holds comes on top of the rate.
    const seconds = (passedMs > idleMs ? paceMs : passedMs) / 1000
    this.#filledMs = Math.max(nowMs, this.#filledMs)
    this.#save(seconds)
    this.#share([...this.#accounts].filter((account) => this.#isAsking(account)))
  }

  #isAsking(account: Account): boolean {
    return account.isPaced && this.#filledMs - account.askedMs < idleMs
  }

  /** Adds what time has brought, and takes back what those have who ask no more. */
  #save(seconds: number): void {
    let held = 0
    for (const account of this.#accounts) {
      if (!this.#isAsking(account) && account.left > 0) {
        this.#pool += account.left
        account.left = 0
      }
      const left = Math.max(0, account.left)
      held += left
      const room = Math.max(0, burstOf(account.ownRate) - left)
      account.own = Math.min(account.own + seconds * account.ownRate, room)
    }
    const room = Math.max(0, burstOf(this.rate) - held)
    this.#pool = Math.min(this.#pool + seconds * this.rate, room)
  }

  #share(asking: readonly Account[]): void {
    const weights = asking.reduce((sum, { weight }) => sum + weight, 0)
    const most = ({ ownRate, weight }: Account): number => {
      const shared = this.rate * Math.max((burstSeconds * weight) / weights, heldSeconds)
      return least(this.rate && Math.max(burstLeastBytes, shared), burstOf(ownRate))
    }
    const room = (account: Account): number => {
      const free = Math.max(0, most(account) - account.left)
      return account.ownRate === 0 ? free : Math.min(free, account.own)
    }
    // Also of those who have all they may: it may be less than was worth moving at another rate.
    for (const account of asking) {
      const rate = least((this.rate * account.weight) / weights, account.ownRate)
      account.least = Math.min(Math.max(rate * leastSeconds, leastBytes), rate * burstSeconds * 0.5)
    }
    for (let round = 0; round < rounds; round++) {
      const open = asking.filter((account) => room(account) >= 1)
      const whole = this.#pool
      const openWeights = open.reduce((sum, { weight }) => sum + weight, 0)
      for (const account of open) {
        const free = room(account)
        const isShared = this.rate !== 0
        const part = isShared ? Math.min(free, (whole * account.weight) / openWeights) : free
        account.left += part
        if (account.ownRate !== 0) account.own -= part
        if (isShared) this.#pool -= part
      }
      if (this.rate === 0 || this.#pool < 1 || open.length === 0) return
    }
  }
}
