/**
 * fastreplica: one file on many machines, as fast as the network allows.
 *
 *     const node = await startNode({ listen: '127.0.0.1:0', dataDir })
 *     const result = await push('model.bin', { to: [node.address] }).result
 */
export { errorTable, FrError, type FrErrorCode, type FrErrorDetails } from '../base/errors.js'
export * as client from './client.js'
export { copy, startCopy, waitFor } from './copy.js'
export { digestFile } from './digest.js'
export type * from './directory-types.js'
export { findNodes } from './find.js'
export type * from './find-types.js'
export { get } from './get.js'
export { getSet } from './get-set.js'
export { type IdentityOptions, identity } from './identity.js'
export { generateKey, loadKeyFile } from './keys.js'
export { createMaster } from './master.js'
export type * from './master-client-types.js'
export type * from './master-types.js'
export { startNode } from './node.js'
export type * from './open-types.js'
export { type PublishSource, publish, unpublish } from './publish.js'
export type * from './publish-types.js'
export { push } from './push.js'
export { pushStream } from './push-stream.js'
export { simulate } from './simulate.js'
export { simulateSets } from './simulate-sets.js'
export type * from './simulate-sets-types.js'
export type * from './simulate-types.js'
export { addNode, fetchStatus, watchStatus } from './status.js'
export type * from './types.js'
export { version } from './version.js'
export type * from './watch-types.js'
