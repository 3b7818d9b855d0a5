/** What is known of one node of a push of a tree. */
import type { FrErrorCode } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { Applied, NamedFailure, NodeOutcome } from '../../control/messages/types.js'
import type { NodeLink } from '../../control/plan/plan.js'
import type { NodeEnd } from '../../control/view/tree-view.js'
import type { Listed } from './listed.js'
import { nameText } from './names.js'

type Loss = NonNullable<NodeEnd['lost']>

export class TreeNode {
  readonly link: NodeLink
  #lost: Loss | null = null
  #unchanged = 0
  #changed = 0
  #failedCount = 0
  readonly #failures: NamedFailure[] = []
  readonly #warnings = new Set<string>()
  #heldBytes = 0
  #broughtBytes = 0

  constructor(link: NodeLink) {
    this.link = link
  }

  get address(): string {
    return this.link.address
  }

  /** It takes part in what follows. */
  get isLiving(): boolean {
    return this.#lost === null
  }

  /** The first time counts. */
  lose({ status, code, retryable, reason }: Loss): void {
    this.#lost ??= { status, code, retryable, reason }
  }

  /** `isBrought`: the bytes of these entries came with them. */
  applied(applied: Applied, listed: Listed, isBrought: boolean): void {
    // What was listed before is counted once, then.
    const fresh = listed.entries - listed.again
    const changed = Math.min(applied.done, fresh)
    this.#changed += changed
    this.#unchanged += Math.min(applied.done + applied.held, fresh) - changed
    const bytes = listed.bytes(0, listed.entries) - missingBytes(applied, listed)
    if (isBrought) this.#broughtBytes += bytes
    else this.#heldBytes += bytes
    this.#note(applied, listed)
  }

  /** What it lacked came, among what others lacked: `own` is what it had asked for. */
  supplied(
    own: { readonly entries: number; readonly bytes: number },
    applied: Applied,
    listed: Listed,
  ): void {
    const lacks = applied.lacks.reduce((sum, [, length]) => sum + length, 0)
    this.#changed += Math.max(0, own.entries - lacks - applied.failedCount)
    this.#broughtBytes += Math.max(0, own.bytes - missingBytes(applied, listed))
    this.#note(applied, listed)
  }

  /** What it lacks would be brought. */
  wouldHave(lacks: Applied['lacks'], listed: Listed): void {
    for (const [from, length] of lacks) {
      this.#changed += length
      this.#broughtBytes += listed.bytes(from, length)
    }
  }

  #note({ failed, failedCount, warnings }: Applied, listed: Listed): void {
    for (const { index, code, text } of failed) this.fails(listed.name(index), code, text)
    this.#failedCount += failedCount - failed.length
    for (const text of warnings)
      if (this.#warnings.size < limits.warningsPerNode) this.#warnings.add(text)
  }

  /** A file that was pushed by itself is in place. */
  brought({ bytes, heldBytes }: Pick<NodeOutcome, 'bytes' | 'heldBytes'>): void {
    this.#changed++
    this.#heldBytes += heldBytes
    this.#broughtBytes += bytes - heldBytes
  }

  fails(name: Uint8Array, code: FrErrorCode, text: string): void {
    this.#failedCount++
    if (this.#failures.length < limits.treeFailuresTold)
      this.#failures.push({ name: nameText(name), code, text })
  }

  end(seconds: number): NodeEnd {
    return {
      node: this.address,
      seconds,
      bytes: this.#heldBytes + this.#broughtBytes,
      heldBytes: this.#heldBytes,
      lost: this.#lost,
      tree: {
        unchanged: this.#unchanged,
        changed: this.#changed,
        failedCount: this.#failedCount,
        failures: this.#failures,
      },
      warnings: [...this.#warnings],
    }
  }
}

function missingBytes({ lacks, failed }: Applied, listed: Listed): number {
  const ranges = [...lacks, ...failed.map(({ index }) => [index, 1] as const)]
  return ranges.reduce((sum, [from, length]) => sum + listed.bytes(from, length), 0)
}
