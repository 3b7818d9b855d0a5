/** What follows from a plan at a node, but for the phase that it is in. */
import type { Failure } from '../../base/errors.js'
import type { PlanFrame } from '../messages/types.js'
import type { NodePulls } from '../pulling/pulls.js'
import type { NodeEdges } from './edges.js'
import type { Neighbourhood } from './neighbourhood.js'
import type { NodeOutbox } from './outbox.js'
import type { NodeReports } from './reports.js'

interface Node {
  readonly neighbours: Neighbourhood
  readonly pulls: NodePulls
  readonly reports: NodeReports
}

/** `begins`: it is the first plan under which bytes flow. */
export function followPlan(
  plan: PlanFrame,
  from: string,
  { neighbours, pulls, reports }: Node,
  edges: NodeEdges,
  outbox: NodeOutbox,
  nowMs: number,
): Failure | { readonly begins: boolean } {
  const news = edges.faultOf(plan) ?? neighbours.take(plan, from)
  if ('code' in news) return news
  for (const member of news.back) outbox.wish({ type: 'readmit', member })
  pulls.met(news.met, plan)
  pulls.avoid(plan.avoid, nowMs)
  reports.planned(plan, nowMs)
  if (news.paces !== null) outbox.wish({ type: 'pace', sets: news.paces })
  if (news.areRoutesNew) outbox.wish({ type: 'route' })
  for (const { number } of news.dial) {
    edges.planned(number)
    outbox.feed(number)
  }
  for (const member of news.gone) {
    edges.gone(member)
    outbox.wish(pulls.gone(member, nowMs))
  }
  const leader = reports.group.planned(plan, (member) => pulls.isLinked(member))
  if (leader !== undefined) outbox.wish(...pulls.link(leader, nowMs))
  return { begins: news.begins }
}
