/** What a master is told, and what it wishes. */
import type { Attributes } from '../../base/attributes.js'
import type { Carried, CopyOrder, Ended, HeldThere, Said } from '../messages/mastering.js'
import type { Component } from './components.js'
import type { Objective } from './demand.js'
import type { Carries, TopologySpec } from './network.js'
import type { Copy } from './scheduler.js'
import type { Score, Weights } from './score.js'
import type { FileSet, NodeSet } from './sets.js'
import type { Version } from './versions.js'
import type { ViewKind } from './views.js'

export type MasterFact =
  | {
      readonly type: 'joined'
      readonly node: string
      readonly site: string
      readonly attributes: Attributes
      readonly up: Carries
      readonly down: Carries
    }
  /** It said nothing for too long, or its link broke. Its copies may go on. */
  | { readonly type: 'left'; readonly node: string }
  /**
   * `isAll`: it holds nothing else; so the first one after it has joined. `freeBytes`: beside what
   * it has. `running`: all copies that it makes, told with the first one. `carried`: what some of
   * them have brought.
   */
  | {
      readonly type: 'state'
      readonly node: string
      readonly files: readonly HeldThere[]
      readonly gone: readonly Pick<Said, 'name' | 'contentId'>[]
      readonly isAll: boolean
      readonly freeBytes: number
      readonly running?: readonly CopyOrder[]
      readonly carried?: readonly Carried[]
    }
  | { readonly type: 'copied'; readonly node: string; readonly copy: number; readonly ended: Ended }
  /** There was a master before, which heard of these in this order. */
  | { readonly type: 'heard'; readonly versions: readonly Said[] }
  | { readonly type: 'sets'; readonly sets: readonly FileSet[] }
  | { readonly type: 'drain'; readonly node: string; readonly isDrained: boolean }

export type MasterWish =
  | { readonly type: 'copy'; readonly node: string; readonly copy: Copy; readonly version: Version }
  | { readonly type: 'rate'; readonly node: string; readonly copy: Copy }
  | { readonly type: 'stop'; readonly node: string; readonly copy: Pick<Copy, 'id'> }
  /** What the node is to hold has changed. */
  | { readonly type: 'required'; readonly node: string; readonly set: NodeSet }
  | { readonly type: 'note'; readonly note: MasterNote }

export type MasterNote =
  | { readonly about: 'failed' | 'retried'; readonly component: Component }
  /** A node says of a content what cannot be, or there are too many contents. */
  | { readonly about: 'refused'; readonly node: string; readonly name: string }
  /** It takes nothing of it, and is asked again after a while. */
  | {
      readonly about: 'declined'
      readonly node: string
      readonly name: string
      readonly cause: string
    }
  /** There is no room for it. */
  | { readonly about: 'full'; readonly node: string; readonly name: string }

export interface MasterSpec {
  readonly topology?: TopologySpec
  readonly score?: Score
  /** Of the score, unless a function is given. */
  readonly weights?: Weights
  readonly view?: ViewKind
  readonly objective?: Objective
  readonly slack?: number
  /** Failures that make a component fail. */
  readonly faults?: number
  /** The number of the first copy: those of masters one after the other are never the same. */
  readonly firstCopy?: number
}
