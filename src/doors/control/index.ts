/** The control API of a node or a master. */
import type { FrMaster } from '../../api/master-types.js'
import type { Credentials, FrNode } from '../../api/types.js'
import { version } from '../../api/version.js'
import type { Mount } from '../mount.js'
import { ownAddress } from '../own-address.js'
import { apiMount } from './api.js'
import { withCommonRoutes } from './common-routes.js'
import { Idempotency } from './idempotency.js'
import { masterRoutes } from './master-routes.js'
import { nodeRoutes } from './node-routes.js'
import { RunningTransfers } from './running.js'
import { transferRoutes } from './transfer-routes.js'

export interface NodeApiOptions {
  /** What the node is asked with. */
  readonly credentials: Credentials
  /** Directories of which files may be sent. */
  readonly sources: readonly string[]
  /** Told of defects. */
  readonly failed: (error: unknown) => void
}

export function masterApi(
  master: FrMaster,
  { credentials, failed }: Pick<NodeApiOptions, 'credentials' | 'failed'>,
): Mount {
  const own = masterRoutes({ master, at: ownAddress(master.address), credentials })
  const routes = withCommonRoutes(own, version, 'fastreplica master')
  return apiMount({ routes, failed, close: () => {} })
}

export function nodeApi(node: FrNode, { credentials, sources, failed }: NodeApiOptions): Mount {
  const behind = { node, at: ownAddress(node.address), credentials }
  const running = new RunningTransfers()
  const idempotency = new Idempotency()
  const own = [
    ...nodeRoutes(behind),
    ...transferRoutes({ ...behind, running, idempotency, sources }),
  ]
  const routes = withCommonRoutes(own, version, 'fastreplica node')
  return apiMount({ routes, failed, close: () => running.close() })
}
