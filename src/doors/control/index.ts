/** The control API of a node or a master. */
import { join } from 'node:path'
import type { FrMaster } from '../../api/master-types.js'
import type { Credentials, FrNode } from '../../api/types.js'
import { version } from '../../api/version.js'
import { hiddenDir } from '../../base/names.js'
import type { Mount } from '../mount.js'
import { ownAddress } from '../own-address.js'
import { apiMount } from './api.js'
import { withCommonRoutes } from './common-routes.js'
import { Idempotency } from './idempotency.js'
import { ingest } from './ingest.js'
import { masterRoutes } from './master-routes.js'
import { nodeRoutes } from './node-routes.js'
import { RunningTransfers } from './running.js'
import { sourceRoutes } from './source-routes.js'
import { transferRoutes } from './transfer-routes.js'
import { uploadRoutes } from './upload-routes.js'
import { Uploads } from './uploads.js'
import { versionRoutes } from './version-routes.js'

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
  const uploads = new Uploads(uploadsDir(node), (wish, path) =>
    ingest({ ...behind, running }, wish, path),
  )
  const transfers = { ...behind, running, idempotency, sources }
  const own = [
    ...nodeRoutes(behind),
    ...transferRoutes(transfers),
    ...uploadRoutes(transfers, uploads),
    ...versionRoutes(behind),
    ...sourceRoutes(sources),
  ]
  const routes = withCommonRoutes(own, version, 'fastreplica node')
  uploads.open().catch(failed)
  const close = async (): Promise<void> => {
    await uploads.close()
    await running.close()
  }
  return apiMount({ routes, failed, close })
}

/** Null: the node keeps nothing. */
function uploadsDir(node: FrNode): string | null {
  const { dataDir, readOnly, relayOnly } = node.status()
  return readOnly || relayOnly ? null : join(dataDir, hiddenDir, 'uploads')
}
