/** What a manifest says of content that is not the file, but what a node makes the file of. */
import type { Coding } from '../../base/coding.js'

/** A content by what it is, whatever it is called. */
export interface ContentName {
  readonly size: number
  /** As text, with the algorithm in it. */
  readonly fileDigest: string
}

/** The file behind coded content, as it is published. */
export interface Coded extends ContentName {
  readonly coding: Coding
  /** 32 hex digits, of the file. */
  readonly contentId: string
  /** Bytes of the file that are no hole. */
  readonly dataBytes: number
  /** What a patch was made against. */
  readonly base?: ContentName
}
