/**
 * Addresses of nodes: HOST[:PORT], lists of them, and the nodes file. Pure: text in, targets out,
 * or a UsageError with the place in the file. Names are not resolved here.
 */
import {
  dnsPrefix,
  formatAddress,
  parseDnsName,
  parseAddress as readAddress,
} from '../../api/address.js'
import type { PushTarget } from '../../api/types.js'
import { limits } from '../../base/limits.js'
import { parseLimit, parseRate, UsageError } from '../render/units.js'

/** A larger file is no nodes file. */
export const nodesFileBytesMax = 1024 * 1024

/**
 * `HOST[:PORT]` -> `HOST:PORT`. HOST is a name, an IPv4 address or an IPv6 address in square
 * brackets; PORT is 7400 by default. `portMin` is 0 if a free port may be asked for. Throws
 * UsageError.
 */
export function parseAddress(text: string, portMin = 1): string {
  const address = readAddress(text, limits.defaultPort)
  if (address !== null && address.port >= portMin) return formatAddress(address)
  if (/^[^[\]]*:[^[\]]*:/.test(text)) {
    throw new UsageError(`'${text}' is not HOST[:PORT]; write IPv6 as [::1]:7400`)
  }
  // Other programs would take such a name for an option.
  if (text.startsWith('-')) throw new UsageError(`'${text}': no host begins with '-'`)
  const host = text.replace(/:\d+$/, '')
  if (address !== null || (host !== text && readAddress(host, 1) !== null)) {
    throw new UsageError(`'${text}': the port is a number from ${portMin} to 65535`)
  }
  throw new UsageError(`'${text}' is not HOST[:PORT]`)
}

/** The id of a transfer, as `fr status` shows it. Throws UsageError. */
export function parseTransfer(text: string): string {
  if (/^[0-9a-f]{32}$/.test(text)) return text
  throw new UsageError(`'${text}' is not the id of a transfer: 32 hex digits`)
}

/**
 * `HOST[:PORT][,HOST[:PORT]...]` -> targets; some may be `dns:NAME[:PORT]`, which is looked up
 * later (nodes-file.ts). Throws UsageError.
 */
export function parseTargets(text: string): PushTarget[] {
  const targets = new Targets()
  for (const address of text.split(',')) targets.add({ address: parseNodes(address.trim()) })
  return targets.all
}

/** One node, or all that a name of DNS has. Throws UsageError. */
function parseNodes(text: string): string {
  if (!text.startsWith(dnsPrefix)) return parseAddress(text)
  if (parseDnsName(text.slice(dnsPrefix.length)) !== null) return text
  throw new UsageError(`'${text}' is not dns:NAME[:PORT]`)
}

/** `HOST[:PORT][,HOST[:PORT]...]` -> `HOST:PORT` of each. Throws UsageError. */
export function parseAddresses(text: string): string[] {
  return parseTargets(text).map(({ address }) => address)
}

/**
 * One HOST[:PORT] a line, then optional `uplink=RATE downlink=RATE site=NAME
 * advertise=HOST:PORT via=HOST:PORT`; `#` starts a comment. `file` is the name that errors carry.
 * Throws UsageError.
 */
export function parseNodesFile(text: string, file: string): PushTarget[] {
  const targets = new Targets()
  const lines = text.split(/\r?\n/)
  for (const [index, line] of lines.entries()) {
    const words = line
      .replace(/(^|\s)#.*$/, '')
      .split(/\s+/)
      .filter((word) => word !== '')
    if (words.length === 0) continue
    const at = `${file}:${index + 1}: `
    try {
      targets.add(parseTarget(words))
    } catch (error) {
      if (error instanceof UsageError) throw new UsageError(at + error.message)
      throw error
    }
  }
  if (targets.all.length === 0) throw new UsageError(`${file}: names no node`)
  return targets.all
}

/** A node and its attributes, as in a line of a nodes file. Throws UsageError. */
export function parseTarget(words: readonly string[]): PushTarget {
  const [address = '', ...attributes] = words
  const target: { -readonly [Key in keyof PushTarget]: PushTarget[Key] } = {
    address: parseNodes(address),
  }
  const seen = new Set<string>()
  for (const attribute of attributes) {
    const equals = attribute.indexOf('=')
    const name = equals < 0 ? attribute : attribute.slice(0, equals)
    const value = equals < 0 ? '' : attribute.slice(equals + 1)
    if (value === '') throw new UsageError(`'${attribute}' is not NAME=VALUE`)
    if (seen.has(name)) throw new UsageError(`${name} is given twice`)
    seen.add(name)
    if (name === 'uplink') target.uplinkBytesPerSecond = parseRate(value)
    else if (name === 'downlink') target.downlinkBytesPerSecond = parseRate(value)
    else if (name === 'advertise' && address.startsWith(dnsPrefix))
      throw new UsageError(`${address} may be several nodes, which cannot advertise one address`)
    else if (name === 'advertise') target.advertise = parseAddress(value)
    else if (name === 'via') target.via = parseAddress(value)
    else if (name === 'site') target.site = parseSite(value)
    else
      throw new UsageError(
        `unknown attribute '${name}'; known are uplink, downlink, site, advertise and via`,
      )
  }
  return target
}

export function parseSite(text: string): string {
  if (text === '') throw new UsageError('a site has a name')
  if (text.length <= limits.siteChars) return text
  throw new UsageError(`a site name has at most ${limits.siteChars} characters`)
}

export interface SiteLink {
  readonly sites: readonly [string, string]
  readonly bytesPerSecond: number
  readonly seal?: true
}

/** `A:B=RATE` or `A:B=RATE,seal`. Throws UsageError. */
export function parseSiteLink(text: string): SiteLink {
  const [, one, other, rate, seal] = /^([^:=]+):([^:=]+)=(.+?)(,seal)?$/.exec(text) ?? []
  if (one === undefined || other === undefined || rate === undefined)
    throw new UsageError(`'${text}' is not SITE:SITE=RATE[,seal]`)
  if (one === other) throw new UsageError(`'${text}' names one site twice`)
  const sites = [parseSite(one), parseSite(other)] as const
  return { sites, bytesPerSecond: parseLimit(rate), ...(seal && { seal: true }) }
}

/** Each node once, and no more than a push takes. */
class Targets {
  readonly all: PushTarget[] = []
  readonly #addresses = new Set<string>()

  add(target: PushTarget): void {
    const same = target.address.toLowerCase()
    if (this.#addresses.has(same)) throw new UsageError(`${target.address} is named twice`)
    if (this.all.length === limits.nodesPerPush)
      throw new UsageError(`more than ${limits.nodesPerPush} nodes in one push`)
    this.#addresses.add(same)
    this.all.push(target)
  }
}
