/** Opens the FTP door of a node, and ends it before all else that is served. */
import type { FrNode } from '../../api/types.js'
import type { FtpDoorOptions } from '../../doors/ftp/index.js'
import type { FtpWish } from './ftp.js'
import { openedBefore, type Served } from './serving.js'

/** Without a wish nothing of it is loaded. What is served is closed where it does not open. */
export async function withFtp(
  wish: FtpWish | undefined,
  node: FrNode,
  served: Served,
  options: Omit<FtpDoorOptions, 'listen'>,
): Promise<Served> {
  if (wish === undefined) return served
  const { address, close } = await openedBefore(served, async () => {
    const { openFtpDoor } = await import('../../doors/ftp/index.js')
    return openFtpDoor(node, { ...wish, ...options })
  })
  return { ...served, ftp: address, close }
}
