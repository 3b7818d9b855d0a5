/** What lands at a node while it is still written. */
import { isSameName } from '../base/names.js'
import type { Reception } from '../session/receiver/reception.js'

/** Undefined: nothing of this name. */
export function growingOf(
  receptions: Iterable<Pick<Reception, 'growing' | 'isOpen'>>,
  name: Uint8Array,
): Reception['growing'] {
  for (const { growing, isOpen } of receptions)
    if (isOpen && growing !== undefined && isSameName(growing.spec.name, name)) return growing
  return undefined
}
