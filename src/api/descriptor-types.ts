/** What is said of descriptors: files of which any few are of use. */
export type {
  DescriptorFigures,
  DescriptorResult,
  NodeDescriptors,
} from '../control/messages/types.js'

export interface DescriptorOptions {
  /**
   * The paths are descriptors (multiple description coding): each is a file of its own, dealt whole
   * to another node, which passes it on, and published alone. `as` is a directory for them. A node
   * is complete with all of them. At most 32. Limits of the push are shared out evenly among them.
   */
  descriptors?: boolean
  /** How many descriptors make a node usable, 1 to their number; default 1. */
  enough?: number
}
