/** What a transfer sees of the node that it lands at: of several data directories only its own. */
import type { Guest, NodeHost } from '../session/receiver/node-host.js'
import type { Disk } from './disk.js'

/** What is the same wherever a transfer lands. */
export type NodeParts = Omit<
  NodeHost,
  'dir' | 'storage' | 'store' | 'trees' | 'shared' | 'requireSpace'
>

export function hostAt(node: NodeParts, disk: Disk): NodeHost {
  const { dir, storage, store, trees, shared, holders } = disk
  return {
    ...node,
    dir,
    storage,
    store,
    trees,
    shared,
    claim: async (guest: Guest) => {
      await node.claim(guest)
      holders.add(guest)
    },
    unclaim: (guest: Guest) => {
      holders.delete(guest)
      node.unclaim(guest)
    },
    requireSpace: (guest: Guest) => disk.requireSpace(guest),
  }
}
