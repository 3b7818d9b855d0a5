/** Sizes, rates and durations as people write them (base/units.ts), and as they are shown. */
import { limits } from '../../base/limits.js'
import { lookUp, numberAndUnit, partIn, rateIn, sizeIn } from '../../base/units.js'

/** The command line cannot be run: exit status 2, the text on stderr. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

const secondUnits: Readonly<Record<string, number>> = {
  ms: 0.001,
  s: 1,
  m: 60,
  h: 3600,
  d: 86_400,
}

const durationSecondsMax = 100 * 365 * 86_400

/** `64KiB`, `10GB`, `4096` -> bytes, a safe integer. Throws UsageError. */
export function parseSize(text: string): number {
  return checked(sizeIn(text))
}

/** `5%`, `0.05` -> 0 to less than 1. Throws UsageError. */
export function parseShare(text: string): number {
  const share = partIn(text)
  return checked(share === 1 ? `'${text}' is the whole; write it like 5% or 0.05` : share)
}

/** `200Mbit`, `10Gbit/s`, `25MB/s` -> bytes per second, above zero. Throws UsageError. */
export function parseRate(text: string): number {
  return checked(rateIn(text))
}

function checked(read: number | string): number {
  if (typeof read === 'string') throw new UsageError(read)
  return read
}

/** A rate that may be a limit: a block a second at least. Throws UsageError. */
export function parseLimit(text: string): number {
  const rate = parseRate(text)
  if (rate >= limits.rateMin) return rate
  throw new UsageError(`'${text}' is less than a block (${formatBytes(limits.rateMin)}) a second`)
}

/** `7d`, `12h`, `30m`, `90s`, `500ms` -> seconds, within bounds. Throws UsageError. */
export function parseDuration(
  text: string,
  secondsMin = 0,
  secondsMax: number = durationSecondsMax,
): number {
  // Nothing is the same in each unit.
  const parsed = numberAndUnit(text === '0' ? '0s' : text)
  const factor = parsed && lookUp(secondUnits, parsed.unit)
  if (parsed === undefined || factor === undefined) {
    throw new UsageError(`'${text}' is not a duration; write it like 7d, 12h, 30m, 90s or 500ms`)
  }
  const seconds = parsed.value * factor
  if (seconds < secondsMin) {
    const least = secondsMin < 1 ? `${secondsMin * 1000}ms` : formatDuration(secondsMin)
    throw new UsageError(`'${text}' is too short; at least ${least}`)
  }
  if (seconds > secondsMax) {
    throw new UsageError(`'${text}' is too long; at most ${formatDuration(secondsMax)}`)
  }
  return seconds
}

/** A whole number in [min, max]. Throws UsageError. */
export function parseCount(text: string, min: number, max: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= min && value <= max)) {
    throw new UsageError(`'${text}' is not a whole number from ${min} to ${max}`)
  }
  return value
}

/** Three significant digits: 1.23, 12.3, 123. */
function threeDigits(value: number): string {
  if (value >= 99.95) return value.toFixed(0)
  return value.toFixed(value >= 9.995 ? 1 : 2)
}

function scaled(value: number, step: number, units: readonly string[]): string {
  let index = 0
  let rest = value
  // A value that would print as 1000 takes the next unit.
  while (rest >= step * 0.9995 && index < units.length - 1) {
    rest /= step
    index++
  }
  return `${index === 0 ? String(Math.round(rest)) : threeDigits(rest)} ${units[index]}`
}

/** Bytes in binary units: `1.00 GiB`. */
export function formatBytes(bytes: number): string {
  return scaled(bytes, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'])
}

/** Bytes per second in decimal units, as links are sold: `412 MB/s`. */
export function formatRate(rateBytesPerSecond: number): string {
  return scaled(rateBytesPerSecond, 1000, ['B/s', 'kB/s', 'MB/s', 'GB/s', 'TB/s'])
}

/** `0.42s`, `5.6s`, `1m05s`, `2h03m`, `3d04h`. */
export function formatDuration(seconds: number): string {
  if (seconds < 9.995) return `${seconds.toFixed(seconds < 0.9995 ? 2 : 1)}s`
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole}s`
  if (whole < 3600) return pair(whole, 60, 'm', 1, 's')
  if (whole < 86_400) return pair(whole, 3600, 'h', 60, 'm')
  return pair(whole, 86_400, 'd', 3600, 'h')
}

function pair(
  seconds: number,
  big: number,
  bigUnit: string,
  small: number,
  smallUnit: string,
): string {
  const rest = Math.floor((seconds % big) / small)
  return `${Math.floor(seconds / big)}${bigUnit}${String(rest).padStart(2, '0')}${smallUnit}`
}

/** `93%`, or `-` when unknown. */
export function formatPercent(share: number | null): string {
  return share === null ? '-' : `${Math.floor(share * 100)}%`
}

/** `1 node`, `8 nodes`. */
export function count(amount: number, one: string): string {
  return `${amount} ${one}${amount === 1 ? '' : 's'}`
}
