/**
 * Whether this process can still open files.
 *
 * When no descriptor is left, libuv empties the kernel's queue of connections by closing them, and
 * the peer sees an unexplained reset. So a server checks right after it accepts a connection: if
 * that took the last descriptor, it can still tell the peer why it closes.
 */
import { closeSync, openSync } from 'node:fs'
import { isOutOfFiles } from '../base/errors.js'

export function hasSpareDescriptor(): boolean {
  try {
    closeSync(openSync('/dev/null', 'r'))
    return true
  } catch (error) {
    return !isOutOfFiles(error)
  }
}
