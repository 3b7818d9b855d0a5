/**
 * Which of two plans is newer, and whether a plan agrees with itself. What is checked here says
 * nothing about earlier plans: that is the receiver's (control/receiver/neighbourhood.ts).
 */
import type { PlanFrame, Route, Term } from '../messages/types.js'

/** What replaces the last of its kind. */
interface Dated {
  readonly term: Term
  readonly epoch: number
}

/** Below 0: `a` is older; 0: the same term. */
export function compareTerms(a: Term, b: Term): number {
  return a.counter - b.counter || a.member - b.member
}

/** Whether `next` is of a higher term, or of a higher epoch of the same. */
export function isNewer(next: Dated, last: Dated): boolean {
  const order = compareTerms(next.term, last.term)
  return order > 0 || (order === 0 && next.epoch > last.epoch)
}

/** What a plan contradicts itself in; null: nothing. */
export function planFault(plan: PlanFrame): string | null {
  const { you, coordinator, reportTo, parents, standbys, term } = plan
  const members = new Set(plan.members.map(({ number }) => number))
  if (members.size !== plan.members.length) return 'uses the number of one member twice'
  if (!members.has(you)) return 'is for a node that is no member'
  // Who takes over coordinates itself.
  if (!members.has(coordinator) || (coordinator === you && term.counter === 1))
    return 'names a coordinator that is no other member'
  if (term.member !== coordinator) return 'has a term that its coordinator does not hold'
  if (!members.has(reportTo)) return 'has reports go to who is no member'
  const named = [...parents, ...standbys]
  if (named.some((number) => !members.has(number)) || parents.includes(you))
    return 'names a parent or standby that is no member'
  if (new Set(standbys).size !== standbys.length) return 'names a standby twice'
  const targets = plan.routes.flatMap(({ to }) => to.map(({ member }) => member))
  if (targets.some((member) => !members.has(member))) return 'routes to who is no member'
  if (new Set(plan.routes.map(({ route }) => route)).size !== plan.routes.length)
    return 'has a route twice'
  if (plan.avoid.some((member) => !members.has(member))) return 'avoids who is no member'
  const sites = new Set(plan.siteShares.map(({ site }) => site))
  if (sites.size !== plan.siteShares.length) return 'has two shares of the link to one site'
  return hasCycle(new Map([[you, plan.routes]])) ? 'has a route that leads back' : null
}

/**
 * Whether bytes could come back to a member under the route they had there: the graph of
 * (member, route) pairs has a cycle. Route 0 leads nowhere.
 */
export function hasCycle(tables: ReadonlyMap<number, readonly Route[]>): boolean {
  const states = new Map<string, 'open' | 'done'>()
  const isBack = (member: number, route: number): boolean => {
    const key = `${member} ${route}`
    const state = states.get(key)
    if (state !== undefined) return state === 'open'
    states.set(key, 'open')
    const targets = tables.get(member)?.find((known) => known.route === route)?.to ?? []
    const found = targets.some((target) => target.next !== 0 && isBack(target.member, target.next))
    states.set(key, 'done')
    return found
  }
  return [...tables].some(([member, routes]) => routes.some(({ route }) => isBack(member, route)))
}
