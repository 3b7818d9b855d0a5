/** Options of a push that belong to one of its kinds, or to what it carries. */
import type { CodingOptions } from './coding-types.js'
import type { CommitOptions } from './commit-types.js'
import type { DescriptorOptions } from './descriptor-types.js'
import type { FollowOptions } from './follow-types.js'
import type { HolderOptions } from './rights-types.js'
import type { SealOptions } from './seal.js'
import type { TreeOptions } from './tree-types.js'

export type PushWishes = TreeOptions &
  CodingOptions &
  CommitOptions &
  DescriptorOptions &
  FollowOptions &
  HolderOptions &
  SealOptions
