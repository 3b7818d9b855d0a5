/** Checks the options that say how nodes are grouped. Misuse is a TypeError. */
import { limits } from '../base/limits.js'
import { type GroupWish, handovers, type SiteLink } from '../control/plan/layout.js'
import { oneOf, optionalInteger, optionalLimit, requireBoolean, requireText } from './checks.js'
import type { PushOptions } from './types.js'

/** Options that say how nodes are grouped. */
export type GroupingOptions = Pick<
  PushOptions,
  'shape' | 'groupSize' | 'handover' | 'site' | 'siteLinks'
>

export function checkGrouping(options: GroupingOptions): GroupWish {
  const { shape, site } = options
  const groupSize = optionalInteger('groupSize', options.groupSize, 1, limits.nodesPerGroup)
  if (shape === 'unicast' && groupSize !== undefined)
    throw new TypeError('groupSize cuts nodes into groups, shape unicast makes none')
  if (site !== undefined) requireSite('site', site)
  const handover = oneOf('handover', options.handover, handovers)
  if (handover !== undefined && (shape === 'unicast' || shape === 'group'))
    throw new TypeError(`handover is between groups, shape ${shape} has no two`)
  return { groupSize, site, siteLinks: checkSiteLinks(options.siteLinks), handover }
}

export function requireSite(option: string, site: string): void {
  requireText(option, site)
  if (site.length > limits.siteChars)
    throw new TypeError(`${option} must be at most ${limits.siteChars} characters`)
}

function checkSiteLinks(links: PushOptions['siteLinks'] = []): SiteLink[] {
  if (!Array.isArray(links)) throw new TypeError('siteLinks must be a list')
  if (links.length > limits.siteLinks)
    throw new TypeError(`siteLinks must have at most ${limits.siteLinks} links`)
  const seen = new Set<string>()
  return links.map((link, i) => {
    const option = `siteLinks[${i}]`
    if (typeof link !== 'object' || link === null || !Array.isArray(link.sites))
      throw new TypeError(`${option} must have sites and bytesPerSecond`)
    const [one, other, ...more] = link.sites as readonly string[]
    if (one === undefined || other === undefined || more.length > 0)
      throw new TypeError(`${option}.sites must name two sites`)
    for (const [at, name] of [one, other].entries()) requireSite(`${option}.sites[${at}]`, name)
    const key = JSON.stringify([one, other].sort())
    if (one === other || seen.has(key))
      throw new TypeError(`${option} names ${one === other ? 'one site' : 'two sites'} twice`)
    seen.add(key)
    const rate = optionalLimit(`${option}.bytesPerSecond`, link.bytesPerSecond)
    if (rate === undefined) throw new TypeError(`${option} must have bytesPerSecond`)
    requireBoolean(`${option}.seal`, link.seal)
    return { sites: [one, other], bytesPerSecond: rate, ...(link.seal && { isSealed: true }) }
  })
}
