/** Checks the nodes of a push. Misuse is a TypeError that names the option. */
import { limits } from '../base/limits.js'
import type { NodeLink } from '../control/messages/copying.js'
import { formatAddress, isAnyHost, requireAddress, requireAddressText } from '../net/address.js'
import { optionalRate, requireText } from './checks.js'
import { requireSite } from './grouping.js'
import { requireOptions } from './option-names.js'
import type { PushOptions, PushTarget } from './types.js'

/** The nodes of a push. Throws TypeError. */
export function checkTargets(to: PushOptions['to']): NodeLink[] {
  if (!Array.isArray(to)) throw new TypeError('to must be a list of addresses or targets')
  const nodes = to.map((target, i) => checkTarget(target, `to[${i}]`))
  if (nodes.length === 0) throw new TypeError('to must name at least one node')
  if (nodes.length > limits.nodesPerPush) {
    throw new TypeError(`to must name at most ${limits.nodesPerPush} nodes, not ${nodes.length}`)
  }
  const seen = new Set<string>()
  for (const node of nodes) {
    const address = node.address.toLowerCase()
    if (seen.has(address)) throw new TypeError(`to names ${node.address} twice`)
    seen.add(address)
  }
  return nodes
}

/** Throws TypeError that names the option. */
export function checkTarget(target: string | PushTarget, option: string): NodeLink {
  if (typeof target === 'string') {
    return { address: requireAddressText(target, option) }
  }
  requireOptions('target', target, option)
  requireText(`${option}.address`, target.address)
  const address = requireAddressText(target.address, `${option}.address`)
  const up = optionalRate(`${option}.uplinkBytesPerSecond`, target.uplinkBytesPerSecond)
  const down = optionalRate(`${option}.downlinkBytesPerSecond`, target.downlinkBytesPerSecond)
  const { advertise } = target
  const via = target.via === undefined ? undefined : dialable(target.via, `${option}.via`)
  if (target.site !== undefined) requireSite(`${option}.site`, target.site)
  // What is behind one gateway is a site: each byte is to cross it once.
  const site = target.site ?? via?.slice(0, limits.siteChars)
  return {
    address,
    ...(site === undefined ? {} : { site }),
    ...(advertise === undefined ? {} : { advertise: dialable(advertise, `${option}.advertise`) }),
    ...(via === undefined ? {} : { via }),
    ...(up === undefined ? {} : { uplinkBytesPerSecond: up }),
    ...(down === undefined ? {} : { downlinkBytesPerSecond: down }),
  }
}

/** As HOST:PORT. Throws TypeError that names the option for an address nobody can dial. */
export function dialable(text: string, option: string): string {
  requireText(option, text)
  const address = requireAddress(text, option)
  const { host, port } = address
  if (port === 0 || isAnyHost(host))
    throw new TypeError(`${option} must be an address that others can dial, not ${text}`)
  return formatAddress(address)
}

/** Rates travel as whole numbers. */
export function wholeLink(link: NodeLink): NodeLink {
  const { uplinkBytesPerSecond: up, downlinkBytesPerSecond: down } = link
  return {
    ...link,
    ...(up !== undefined && { uplinkBytesPerSecond: Math.ceil(up) }),
    ...(down !== undefined && { downlinkBytesPerSecond: Math.ceil(down) }),
  }
}
