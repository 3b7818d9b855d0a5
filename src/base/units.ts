/**
 * Sizes, rates and parts as people write them, on the command line and in documents. Units are
 * strict (`Mbit` is bits, `MB` and `MiB` are bytes, and case matters), because a rate read eight
 * times too high is worse than an error. A text in place of a number says what is wrong.
 */

const byteUnits: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
}

const bitUnits: Readonly<Record<string, number>> = {
  bit: 1 / 8,
  kbit: 1e3 / 8,
  Kbit: 1e3 / 8,
  Mbit: 1e6 / 8,
  Gbit: 1e9 / 8,
  Tbit: 1e12 / 8,
}

/** 100 Tbit/s; a larger rate is a typing error. */
const rateBytesPerSecondMax = 100e12 / 8

export function numberAndUnit(text: string): { value: number; unit: string } | undefined {
  const match = /^(\d{1,20}(?:\.\d{1,20})?) ?([A-Za-z]*)$/.exec(text)
  if (match === null) return undefined
  return { value: Number(match[1]), unit: match[2] ?? '' }
}

export function lookUp(units: Readonly<Record<string, number>>, unit: string): number | undefined {
  return Object.hasOwn(units, unit) ? units[unit] : undefined
}

/** `64KiB`, `10GB`, `4096` -> bytes, a safe integer. */
export function sizeIn(text: string): number | string {
  const parsed = numberAndUnit(text)
  const factor = parsed && lookUp(byteUnits, parsed.unit)
  if (parsed === undefined || factor === undefined)
    return `'${text}' is not a size; write it like 64KiB, 1GiB or 10GB`
  const bytes = Math.round(parsed.value * factor)
  return Number.isSafeInteger(bytes) ? bytes : `'${text}' is larger than any file`
}

/** `200Mbit`, `10Gbit/s`, `25MB/s` -> bytes per second, at least 1. */
export function rateIn(text: string): number | string {
  const parsed = numberAndUnit(text.replace(/\/s$/, ''))
  const factor =
    parsed && parsed.unit !== ''
      ? (lookUp(bitUnits, parsed.unit) ?? lookUp(byteUnits, parsed.unit))
      : undefined
  if (parsed === undefined || factor === undefined)
    return `'${text}' is not a rate; write it like 200Mbit, 10Gbit or 25MB (a second)`
  const rate = parsed.value * factor
  if (!(rate >= 1)) return `'${text}' is not a rate; it must be above zero`
  if (rate > rateBytesPerSecondMax) return `'${text}' is faster than any link (100Tbit)`
  return rate
}

/** `5%`, `0.05`, `1` -> 0 to 1. */
export function partIn(text: string): number | string {
  const match = /^(\d{1,3}(?:\.\d{1,6})?)(%?)$/.exec(text)
  const part = Number(match?.[1]) / (match?.[2] === '%' ? 100 : 1)
  if (part >= 0 && part <= 1) return part
  return `'${text}' is no part of a whole; write it like 5% or 0.05`
}
