/**
 * Whether this process can still open anything.
 *
 * Where no descriptor is left, the kernel's queue of connections is emptied by closing them (libuv
 * does so), and the peer sees a reset without a word. So a server asks right after it has accepted
 * one: if that took the last descriptor, it can still say why it closes.
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
