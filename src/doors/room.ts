/** How many connections a door has room for. */
import { readFile } from 'node:fs/promises'
import { doorLimits } from '../base/door-limits.js'

/** Each may have a file open as well, and the node needs files for its own connections. */
export async function connectionsMax(): Promise<number> {
  const text = await readFile('/proc/self/limits', 'latin1').catch(() => '')
  const said = Number(/^Max open files +(\d+)/m.exec(text)?.[1] ?? Number.POSITIVE_INFINITY)
  const { connections, connectionsOfFiles } = doorLimits
  return Math.min(connections, Math.max(1, Math.floor(said * connectionsOfFiles)))
}
