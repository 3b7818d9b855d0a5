/** What could not be sent of a tree: the first ones by name, all by number. */
import { getSystemErrorMap } from 'node:util'
import { cleanText } from '../../base/bytes.js'
import type { FrErrorCode } from '../../base/errors.js'
import { limits } from '../../base/limits.js'

export interface TreeFailure {
  /** In the tree. */
  readonly name: Uint8Array
  readonly code: FrErrorCode
  readonly text: string
}

export class Failures {
  readonly told: TreeFailure[] = []
  #count = 0

  get count(): number {
    return this.#count
  }

  add(name: Uint8Array, code: FrErrorCode, text: string): void {
    this.#count += 1
    if (this.told.length < limits.treeFailuresTold)
      this.told.push({ name, code, text: cleanText(text) })
  }
}

/** `lstat: permission denied (EACCES)` */
export function systemText(call: string, errno: number): string {
  const [code = `errno ${errno}`, words = 'failed'] = getSystemErrorMap().get(-errno) ?? []
  return `${call}: ${words} (${code})`
}
