/** The control API of a node or a master. */
import type { Credentials, FrNode } from '../../api/types.js'
import { version } from '../../api/version.js'
import type { Mount } from '../mount.js'
import { apiMount } from './api.js'
import { withCommonRoutes } from './common-routes.js'
import { nodeRoutes } from './node-routes.js'
import { ownAddress } from './own-address.js'

/** `credentials`: what the node is asked with; `failed` is told of defects. */
export function nodeApi(
  node: FrNode,
  credentials: Credentials,
  failed: (error: unknown) => void,
): Mount {
  const own = nodeRoutes({ node, at: ownAddress(node.address), credentials })
  const routes = withCommonRoutes(own, version, 'fastreplica node')
  return apiMount({ routes, failed, close: () => {} })
}
