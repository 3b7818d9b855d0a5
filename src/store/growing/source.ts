/** A content that is still written, as whoever sends it sees it. */
import type { FrError } from '../../base/errors.js'

/** Who is told what becomes of it. Nothing follows `failed`, nor the last word of `grown`. */
export interface GrowthEvents {
  /** Bytes before this are there. `isFinal`: no more will come. */
  grown(bytes: number, isFinal: boolean): void
  /** It was written to and did not grow: what was there may be another content now. */
  doubted(): void
  failed(error: FrError): void
}

export interface GrowingSource {
  /** Opens it for reading until it is closed. */
  readonly path: string
  /** Others can write over what is there: only reading it again tells that it stayed the same. */
  readonly isShared: boolean
  /** Once. */
  start(events: GrowthEvents): void
  /** What is there is all: the last `grown` follows, or `failed`. */
  finish(): void
  close(): Promise<void>
}
