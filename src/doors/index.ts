/**
 * The HTTP door, `fastreplica/http`: for programs that have a node or a master in their process.
 *
 *     const node = await startNode({ listen: '127.0.0.1:0', dataDir })
 *     const door = await openDoor({ node }, { listen: '127.0.0.1:8080' })
 */
export { type Door, type DoorOptions, openDoor } from './door.js'
export {
  createReplicaHandler,
  type ReplicaHandler,
  type ReplicaHandlerOptions,
  type ServeFileOptions,
  serveFile,
} from './files/handler.js'
export { type TracerLike, traceTransfers } from './metrics/spans.js'
export type { Behind, Mount, Who } from './mount.js'
