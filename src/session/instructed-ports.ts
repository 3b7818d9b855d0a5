/**
 * What a node does by order of its master, and what it tells it: the interfaces between the link to
 * the master and what copies.
 */
import type { Carried, CopyOrder, Ended, HeldThere } from '../control/messages/mastering.js'

/** Copies by order. They go on while the master is away. */
export interface InstructedCopies {
  /** Under way. */
  readonly running: Iterable<CopyOrder>
  start(order: CopyOrder): void
  setRate(copy: number, bytesPerSecond: number): void
  /** Of copies that have brought something since the last call, or of all that are under way. */
  takeCarried(isAll?: boolean): Carried[]
  /** What has come stays. Nothing is told of its end. */
  stop(copy: number): void
  close(): Promise<void>
}

export interface InstructedEvents {
  /** Each copy that was started ends once, unless it was stopped. */
  ended(copy: number, ended: Ended): void
}

export type HeldChange =
  | { readonly held: HeldThere }
  | { readonly gone: { readonly name: string; readonly contentId: string } }

/** What a node holds: whole contents, and verified ranges of what copies are bringing. */
export interface HeldStates {
  all(): AsyncIterable<HeldThere>
  /** Calls whenever something came, was replaced or went; returns what ends that. */
  onChange(told: (change: HeldChange) => void): () => void
  freeBytes(): Promise<number>
}
