/**
 * Changes to valid messages: to their bytes, and to the JSON behind a prefix of
 * `u32 length | u8 type`, which a blind change of bytes seldom leaves readable.
 */
import { concat, u32, utf8 } from '../../src/base/bytes.js'
import { limits } from '../../src/base/limits.js'

/** A whole number from 0, less than `below`. */
export type Draw = (below: number) => number

/** The same numbers for the same seed (mulberry32). */
export function drawOf(seed: number): Draw {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

const prefixBytes = 5
/**
 * How long a repetition may become. Several in one message multiply, to lengths that only the
 * memory of the fuzzer can refuse: the reader refuses all that is longer than a frame alike.
 */
const repeatedBytes = 2 * limits.frameBytes
const counts = [0, 1, 255, 2 ** 16, 2 ** 20, 2 ** 31, 2 ** 32 - 1]

const byteChanges: ((bytes: Uint8Array, draw: Draw) => Uint8Array)[] = [
  (bytes, draw) => {
    const at = draw(bytes.length)
    return bytes.map((byte, index) => (index === at ? byte ^ (1 << draw(8)) : byte))
  },
  (bytes, draw) => bytes.slice(0, draw(bytes.length + 1)),
  (bytes, draw) =>
    concat(
      bytes,
      Uint8Array.from({ length: draw(40) }, () => draw(256)),
    ),
  // A part of it twice.
  (bytes, draw) => {
    const end = draw(bytes.length + 1)
    return concat(bytes.slice(0, end), bytes.slice(draw(end + 1)))
  },
  // Where a count or a length may be.
  (bytes, draw) => {
    const at = draw(Math.max(1, bytes.length - 3))
    const changed = concat(bytes, new Uint8Array(4))
    changed.set(u32(counts[draw(counts.length)] as number), draw(2) === 0 ? at : at - (at % 4))
    return changed.subarray(0, bytes.length)
  },
]

/** Stands for nesting that is deeper than can be built as a value. */
const abyss = '@abyss@'
const strange: unknown[] = [
  ...[null, true, false, -1, 0, 1, 0.5, 1e308, 255, 256, 65_536, 2 ** 31, 2 ** 32, 2 ** 53],
  ...['', '\u0000', '\ud800', 'ERR_FR_IO', 'constructor', 'x'.repeat(5_000), 'ab'.repeat(16)],
  ...[[], {}, [[]], [[0, 0]], [[1, -1]], abyss, new Array(300).fill(0), new Array(5_000).fill({})],
]

function repeated(values: unknown[], times: number): unknown[] {
  const most = Math.max(1, Math.floor(repeatedBytes / JSON.stringify(values).length))
  return Array.from({ length: Math.min(times, most) }, () => values).flat()
}

function jsonChange(value: unknown, draw: Draw): unknown {
  switch (draw(4)) {
    case 0:
      return undefined
    case 1:
      if (!Array.isArray(value) || value.length > 100) return [value]
      return repeated(value, 1 + draw(500))
    case 2:
      return typeof value === 'number' ? value + draw(5) - 2 : { ['__proto__']: value, more: 1 }
    default:
      return strange[draw(strange.length)]
  }
}

/** Changes one value anywhere in a JSON value. */
function changeWithin(value: unknown, draw: Draw): unknown {
  const keys = typeof value === 'object' && value !== null ? Object.keys(value) : []
  const key = keys[draw(keys.length + 1)]
  if (key === undefined) return jsonChange(value, draw)
  const copy = Object.assign(Array.isArray(value) ? [] : {}, value) as Record<string, unknown>
  copy[key] = changeWithin(copy[key], draw)
  return copy
}

function messageChange(bytes: Uint8Array, draw: Draw): Uint8Array {
  let text: string
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes.subarray(prefixBytes)).toString())
    text = JSON.stringify(changeWithin(value, draw)) ?? ''
  } catch {
    return bytes // an earlier change has spoilt it, or made it too deep
  }
  const depth = 100_000
  const json = utf8(text.replace(`"${abyss}"`, `${'['.repeat(depth)}${']'.repeat(depth)}`))
  return concat(u32(1 + json.length), bytes.subarray(4, prefixBytes), json)
}

/** The message with one to three changes, most of them of its JSON where it has some. */
export function changed(bytes: Uint8Array, form: 'binary' | 'json', draw: Draw): Uint8Array {
  let result = bytes
  for (let left = 1 + draw(3); left > 0 && result.length > 0; left -= 1) {
    const change = byteChanges[draw(byteChanges.length)]
    if (form === 'json' && draw(3) > 0) result = messageChange(result, draw)
    else if (change !== undefined) result = change(result, draw)
  }
  return result
}
