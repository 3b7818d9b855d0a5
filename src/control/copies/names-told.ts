/** Names in what people are told of a master. */
import { limits } from '../../base/limits.js'

/** The first of some names, so many of them that they fit a frame with what else is told. */
export function namesTold(names: Iterable<string>): string[] {
  const told: string[] = []
  let chars = 0
  for (const name of names) {
    chars += name.length
    if (told.length === limits.masterNames || chars > limits.masterNamesChars) break
    told.push(name)
  }
  return told
}
