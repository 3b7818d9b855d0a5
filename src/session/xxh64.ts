/** The engine's one-shot XXH64 as the running hash that the manifest codec asks for. */
import { concat } from '../base/bytes.js'
import type { DataEngine } from '../ports.js'
import type { RunningXxh64 } from '../protocol/primitives.js'

export function wholeXxh64(engine: DataEngine): RunningXxh64 {
  const parts: Uint8Array[] = []
  return {
    update: (bytes) => parts.push(bytes),
    digest: () => engine.xxh64(concat(...parts)),
  }
}
