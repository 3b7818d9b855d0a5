/** Asks several disks for what one of them has. */
import { FrError } from '../../base/errors.js'

/**
 * What the first of these answers that does not say ERR_FR_NOT_HELD, one after the other; any other
 * failure is the answer. Rejects with ERR_FR_NOT_HELD as the first has said it.
 */
export async function atFirst<Disk, Answer>(
  disks: readonly Disk[],
  ask: (disk: Disk) => Promise<Answer>,
): Promise<Answer> {
  let notHeld: FrError | undefined
  for (const disk of disks) {
    try {
      return await ask(disk)
    } catch (error) {
      if (!(error instanceof FrError) || error.code !== 'ERR_FR_NOT_HELD') throw error
      notHeld ??= error
    }
  }
  throw notHeld ?? new FrError('ERR_FR_NOT_HELD')
}
