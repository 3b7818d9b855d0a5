/** Addresses of data connections, as commands and answers of FTP write them. Pure. */

export interface Endpoint {
  readonly host: string
  readonly port: number
}

/** IPv4 in IPv6 is IPv4. */
export function plainIp(address: string | undefined): string {
  return (address ?? '').replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '').replace(/%.*$/, '')
}

/** Whose connections are counted together: an IPv4 address, a network of 64 bits of IPv6. */
export function countedAs(address: string): string {
  if (!address.includes(':')) return address
  const [head = '', tail] = address.split('::')
  const groups = head === '' ? [] : head.split(':')
  const behind = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - groups.length - behind.length)
  const all = [...groups, ...new Array<string>(zeros).fill('0'), ...behind]
  return all.slice(0, 4).join(':')
}

/** `127,0,0,1,200,13` of PORT; null: it is none. */
export function portArgument(text: string): Endpoint | null {
  if (!/^\d{1,3}(?:,\d{1,3}){5}$/.test(text)) return null
  const parts = text.split(',').map(Number)
  if (parts.some((part) => part > 255)) return null
  const [high = 0, low = 0] = parts.slice(4)
  return { host: parts.slice(0, 4).join('.'), port: high * 256 + low }
}

/** `|2|::1|51213|` of EPRT (RFC 2428); null: it is none; `family`: one that nobody knows. */
export function eprtArgument(text: string): Endpoint | 'family' | null {
  const border = text.charAt(0)
  if (border < '!' || border > '~') return null
  const [before, family, host = '', port = '', after, ...more] = text.split(border)
  if (before !== '' || after !== '' || more.length > 0 || !/^\d{1,5}$/.test(port)) return null
  if (family !== '1' && family !== '2') return 'family'
  if (Number(port) > 65_535 || (family === '2') !== host.includes(':')) return null
  return { host, port: Number(port) }
}

/** As the answer to PASV has it; null: IPv6 has no place there. */
export function pasvText({ host, port }: Endpoint): string | null {
  if (host.includes(':')) return null
  return [...host.split('.'), port >> 8, port & 255].join(',')
}

/** `A-B`; null: it is no range. */
export function portRange(text: string): PortRange | null {
  const [, from = '', to = ''] = /^(\d{1,5})-(\d{1,5})$/.exec(text) ?? []
  const range = { from: Number(from), to: Number(to) }
  const isRange = from !== '' && range.from >= 1_024 && range.from <= range.to && range.to <= 65_535
  return isRange ? range : null
}

export interface PortRange {
  readonly from: number
  readonly to: number
}
