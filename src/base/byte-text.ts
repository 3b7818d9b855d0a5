/** Numbers of bytes as people read them. */

/** Bytes in a fitting unit, two or three digits: `96 MiB`, `1.5 GiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
  let power = 0
  while (power < units.length - 1 && bytes >= 999.5 * 1024 ** power) power++
  const value = bytes / 1024 ** power
  const digits = power === 0 || value >= 9.95 ? 0 : 1
  return `${value.toFixed(digits)} ${units[power]}`
}
