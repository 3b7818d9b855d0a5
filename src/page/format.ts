/** Figures as people read them; what is not known is a dash. Pure. */
import { formatBytes } from '../base/byte-text.js'

export const unknown = '–'

export function bytesText(bytes: number | null | undefined): string {
  return bytes === null || bytes === undefined ? unknown : formatBytes(bytes)
}

/** Bytes a second; nothing at all is a dash, so that what moves is seen. */
export function rateText(bytesPerSecond: number | null | undefined): string {
  return bytesPerSecond ? `${formatBytes(bytesPerSecond)}/s` : unknown
}

export function shareText(share: number | null | undefined): string {
  if (share === null || share === undefined) return unknown
  // What is not all there is not called so.
  return `${Math.floor(share * 1000) / 10}%`
}

export function durationText(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return unknown
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`
}

/** Time of day, by the clock of whoever looks. */
export function clockText(date: Date): string {
  return date.toLocaleTimeString(undefined, { hour12: false })
}

export function countText(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`
}

/** A path of the control API: names stand in it as percent-encoded components. */
export function pathOf(name: string): string {
  return name.split('/').map(encodeURIComponent).join('/')
}
