/**
 * HOST:PORT as people write it: `10.0.0.2:7400`, `[::1]:7400`, `node-a.lan:7400`. Parsing is
 * strict where resolvers are lax: `127.1`, `0x7f.1` and `010.0.0.1` are refused, because what they
 * reach depends on the resolver and the loopback rule must not.
 */
export interface Address {
  /** IPv4, IPv6 without brackets (a zone may follow after %), or a host name. */
  readonly host: string
  readonly port: number
}

/**
 * Returns null for text that is not an address. Port 0 is allowed and means "pick one". With
 * `defaultPort` the port may be left out; an IPv6 address still needs its brackets, because
 * `::1:7400` is an IPv6 address too.
 */
export function parseAddress(text: string, defaultPort?: number): Address | null {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text)
  if (match === null) return null
  const port = match[3] === undefined ? defaultPort : Number(match[3])
  if (port === undefined || port > 65_535) return null
  if (match[1] !== undefined) return parseIpv6(match[1]) === null ? null : { host: match[1], port }
  const host = match[2] ?? ''
  return parseIpv4(host) !== null || isHostName(host) ? { host, port } : null
}

/** Begins what stands for all nodes that a name of DNS has: `dns:fr.lan`, `dns:fr.lan:7401`. */
export const dnsPrefix = 'dns:'

/** Name and port of `NAME[:PORT]`; null for what is no name that DNS can have. */
export function parseDnsName(text: string): { name: string; port?: number } | null {
  const found = parseAddress(text, 0)
  if (found === null || isIp(found.host) || text.startsWith('[')) return null
  const { host: name, port } = found
  if (text === name) return { name }
  return port === 0 ? null : { name, port }
}

/** The inverse of parseAddress. */
export function formatAddress(address: Address): string {
  const host = address.host.includes(':') ? `[${address.host}]` : address.host
  return `${host}:${address.port}`
}

/** True for 127.0.0.0/8, ::1, their IPv4-mapped forms, `localhost` and the names below it. */
export function isLoopback(host: string): boolean {
  const ipv4 = parseIpv4(host)
  if (ipv4 !== null) return ipv4[0] === 127
  const ipv6 = parseIpv6(host)
  if (ipv6 === null) return /^(?:.+\.)?localhost\.?$/i.test(host)
  const head = ipv6.slice(0, 5)
  if (head.some((group) => group !== 0)) return false
  if (ipv6[5] === 0xffff) return (ipv6[6] ?? 0) >> 8 === 127
  return ipv6[5] === 0 && ipv6[6] === 0 && ipv6[7] === 1
}

/** True for a host that stands for all addresses of a machine: nobody can dial it. */
export function isAnyHost(host: string): boolean {
  return host === '0.0.0.0' || host === '::' || host === ''
}

/**
 * Where whoever listens at `said` is reached: there, or where it dials from (`from`) when that is
 * all addresses. Both are HOST:PORT.
 */
export function reachedAt(said: string, from: string): string {
  const listening = parseAddress(said)
  const host = parseAddress(from)?.host
  if (listening === null || host === undefined || !isAnyHost(listening.host)) return said
  return formatAddress({ ...listening, host })
}

/** True for an IP address, which needs no resolver. */
export function isIp(host: string): boolean {
  return parseIpv4(host) !== null || parseIpv6(host) !== null
}

function parseIpv4(text: string): number[] | null {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)
  if (match === null) return null
  const parts = match.slice(1)
  if (parts.some((part) => Number(part) > 255 || String(Number(part)) !== part)) return null
  return parts.map(Number)
}

/** Returns the eight groups, or null. A zone is checked and then dropped. */
function parseIpv6(text: string): number[] | null {
  const match = /^([0-9a-fA-F:.]+)(?:%[A-Za-z0-9_.-]{1,15})?$/.exec(text)
  if (match === null) return null
  const halves = (match[1] ?? '').split('::')
  if (halves.length > 2) return null
  const left = groupsOf(halves[0] ?? '', halves.length === 1)
  const right = groupsOf(halves[1] ?? '', true)
  if (left === null || right === null) return null
  if (halves.length === 1) return left.length === 8 ? left : null
  const missing = 8 - left.length - right.length
  return missing < 1 ? null : [...left, ...new Array<number>(missing).fill(0), ...right]
}

function groupsOf(text: string, mayEndInIpv4: boolean): number[] | null {
  if (text === '') return []
  const parts = text.split(':')
  const groups: number[] = []
  for (const [index, part] of parts.entries()) {
    const ipv4 = mayEndInIpv4 && index === parts.length - 1 ? parseIpv4(part) : null
    if (ipv4 !== null) {
      const [a = 0, b = 0, c = 0, d = 0] = ipv4
      groups.push(a * 256 + b, c * 256 + d)
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(Number.parseInt(part, 16))
    } else {
      return null
    }
  }
  return groups
}

function isHostName(text: string): boolean {
  if (text.length > 253) return false
  const labels = text.replace(/\.$/, '').split('.')
  if (!labels.every((label) => /^(?!-)[A-Za-z0-9_-]{1,63}(?<!-)$/.test(label))) return false
  // Resolvers read a name whose last label is a number as an old spelling of an IPv4 address.
  return !/^(?:\d+|0[xX][0-9a-fA-F]*)$/.test(labels.at(-1) ?? '')
}
