/** How much of an opened content is there, and how it goes on. */
import type { FrError } from '../base/errors.js'

/** Milliseconds between looks at what comes and tells nobody, and how many of them to wait. */
export const lookMs = 100
export const publishedTries = 20

export type ContentState = 'held' | 'growing' | 'arriving'

export interface Progress {
  readonly state: ContentState
  /** Null: it is still written. */
  readonly size: number | null
  /** Verified bytes from there on. */
  available(offset: number): number
  /** Calls back when there may be more; the result takes it back. */
  watch(moved: () => void): () => void
  /** Why nothing more comes; null: it may. */
  failure(): Promise<FrError | null>
  /** Before and after bytes are read: rejects where the file may be another one's by now. */
  check?(): Promise<void>
  /** It comes from others: what is read from this offset on is to come first. */
  readsAt?(offset: number): void
  end?(): void
}

/** Somebody who reads a content while it comes. */
export interface Playing {
  at(offset: number): void
  end(): void
}
