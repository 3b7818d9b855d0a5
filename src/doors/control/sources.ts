/** Files of the machine that may be sent through a door: below directories that it was given. */
import { realpath } from 'node:fs/promises'
import { isAbsolute, join, sep } from 'node:path'
import { HttpError } from '../problem.js'

/**
 * The path with all links followed. Relative ones are below the first directory. Rejects with
 * HttpError: 403 where it leads elsewhere, 404 where nothing is.
 */
export async function sourceAt(path: string, directories: readonly string[]): Promise<string> {
  const [first] = directories
  if (first === undefined)
    throw new HttpError(403, 'ERR_FR_RIGHT', 'this door sends no files of its machine')
  if (path.includes('\0')) throw new HttpError(400, 'ERR_FR_REQUEST', 'a path has no zero byte')
  const roots = await Promise.all(directories.map((one) => realpath(one).catch(() => null)))
  // What a path outside would lead to is nobody's business: it is refused before it is looked at.
  const wanted = isAbsolute(path) ? path : join(first, path)
  const isNamed = directories.some((one) => isBelow(join(wanted), one))
  const found = isNamed ? await realpath(wanted).catch(() => null) : null
  if (isNamed && found === null)
    throw new HttpError(404, 'ERR_FR_SOURCE', 'there is no such file in a directory of the door')
  if (found === null || !roots.some((root) => root !== null && isBelow(found, root)))
    throw new HttpError(403, 'ERR_FR_RIGHT', 'the path leads out of what this door may send')
  return found
}

function isBelow(path: string, directory: string): boolean {
  const root = join(directory, sep)
  return path.startsWith(root)
}
