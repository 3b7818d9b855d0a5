/** Opens the HTTP door of what a command serves, and ends both together. */
import type { FrMaster } from '../../api/master-types.js'
import type { FrNode } from '../../api/types.js'
import type { DoorOptions } from '../../doors/index.js'
import type { DoorWish } from './door.js'
import type { Served } from './serving.js'

/** Without a wish nothing of a door is loaded. What is behind is closed where none opens. */
export async function withDoor(
  wish: DoorWish | undefined,
  behind: { readonly node: FrNode } | { readonly master: FrMaster },
  options: Omit<DoorOptions, 'listen' | 'hosts'>,
): Promise<Served> {
  const served = 'node' in behind ? behind.node : behind.master
  if (wish === undefined) return served
  try {
    const { openDoor } = await import('../../doors/index.js')
    const door = await openDoor(behind, { ...wish, ...options })
    const close = async (): Promise<void> => {
      await door.close()
      await served.close()
    }
    const { address, nodeId } = served
    return { address, nodeId, http: door.address, reload: () => served.reload(), close }
  } catch (error) {
    await served.close()
    throw error
  }
}
