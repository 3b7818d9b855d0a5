/** Checks of single options. Misuse is a TypeError that names the option. */
import { limits } from '../base/limits.js'

const rateMax = 1e15

export function oneOf<T extends string>(
  option: string,
  value: T | undefined,
  all: readonly T[],
): T | undefined {
  if (value === undefined || all.includes(value)) return value
  throw new TypeError(`${option} must be ${all.join(' or ')}, not ${JSON.stringify(value)}`)
}

export function requireText(option: string, value: unknown): void {
  if (typeof value !== 'string' || value === '')
    throw new TypeError(`${option} must be a non-empty string`)
  if (value.includes('\0')) throw new TypeError(`${option} must not contain NUL`)
}

export function requireSignal(signal: AbortSignal | undefined): void {
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw new TypeError('signal must be an AbortSignal')
}

export function optionalInteger(
  option: string,
  value: number | undefined,
  least: number,
  most: number = Number.MAX_SAFE_INTEGER,
): number | undefined {
  if (value === undefined) return undefined
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value
  throw new TypeError(
    `${option} must be a whole number from ${least} to ${most}, not ${String(value)}`,
  )
}

export function optionalShare(option: string, value: number | undefined): number | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'number' && value >= 0 && value < 1) return value
  throw new TypeError(`${option} must be a part from 0 to less than 1, not ${String(value)}`)
}

export function requireBoolean(option: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'boolean')
    throw new TypeError(`${option} must be true or false`)
}

export function requireFunction(option: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'function')
    throw new TypeError(`${option} must be a function`)
}

export function optionalRate(option: string, value: number | undefined): number | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'number' && value > 0 && value <= rateMax) return value
  throw new TypeError(`${option} must be a rate above zero and at most ${rateMax} bytes per second`)
}

/** A limit in whole bytes a second. Throws TypeError that names the option. */
export function optionalLimit(option: string, value: number | undefined): number | undefined {
  if (value === undefined) return undefined
  const { rateMin, rateMax: most } = limits
  if (typeof value === 'number' && value >= rateMin && value <= most) return Math.round(value)
  throw new TypeError(
    `${option} must be a rate from ${rateMin} (a block a second) to ${most} bytes per second`,
  )
}
