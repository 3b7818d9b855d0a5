/**
 * File names are bytes but process.argv is text, in which bytes that are not UTF-8 became U+FFFD.
 * Linux still has the original bytes; on other systems such a name cannot be given.
 */
import { readFileSync } from 'node:fs'
import { UsageError } from '../render/units.js'

/** The last `count` arguments of a NUL-separated command line, as bytes. */
export function lastArguments(commandLine: Uint8Array, count: number): Uint8Array[] {
  const found: Uint8Array[] = []
  let start = 0
  for (let end = commandLine.indexOf(0); end >= 0; end = commandLine.indexOf(0, start)) {
    found.push(commandLine.subarray(start, end))
    start = end + 1
  }
  return found.slice(Math.max(0, found.length - count))
}

/**
 * Bytes of an argument (or of the value in `--option=value`) that reads as `text`; undefined when
 * the text is faithful. Throws UsageError when the bytes cannot be found, or when two different
 * arguments have the same text.
 */
export function bytesBehind(
  text: string,
  rawArguments: readonly Uint8Array[],
): Uint8Array | undefined {
  if (!text.includes('\uFFFD')) return undefined
  const found = new Map<string, Uint8Array>()
  for (const raw of rawArguments) {
    const equals = raw[0] === 0x2d ? raw.indexOf(0x3d) : -1
    for (const bytes of equals < 0 ? [raw] : [raw, raw.subarray(equals + 1)]) {
      if (Buffer.from(bytes).toString('utf8') === text) {
        found.set(Buffer.from(bytes).toString('hex'), bytes)
      }
    }
  }
  const [first, second] = found.values()
  if (first === undefined)
    throw new UsageError(`'${text}': this system does not give the bytes of the name`)
  if (second !== undefined)
    throw new UsageError(`'${text}': two arguments differ in bytes that are not UTF-8`)
  return first
}

/** The arguments after the script, as bytes; empty when the system does not have them. */
export function readRawArguments(count: number): Uint8Array[] {
  try {
    return lastArguments(readFileSync('/proc/self/cmdline'), count)
  } catch {
    return []
  }
}
