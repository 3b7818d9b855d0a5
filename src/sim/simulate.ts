/** One simulated push: planned by the shipping planner, carried out by one of the two models. */
import { limits } from '../base/limits.js'
import { forecastOf } from '../control/dealing/planning.js'
import { treeOf } from '../control/plan/forecast.js'
import type { Forecast, NodeLink } from '../control/plan/plan.js'
import { simulateFluid } from './fluid.js'
import { simulateSessions } from './sessions.js'
import { type Answer, simulatedBlockBytes, type Wanted } from './wanted.js'

export type Model = Answer['model']

export interface Simulated extends Forecast, Answer {
  /** Nodes by their place, the first group first. */
  readonly groups: readonly (readonly number[])[]
  /** Of each group the index of the one that feeds it; null: the origin does. */
  readonly parents: readonly (number | null)[]
}

interface Counted {
  readonly nodes: { readonly length: number }
  readonly kills: { readonly length: number }
}

/** The model that is taken where the caller leaves it open: whole sessions while they are cheap. */
export function modelFor(wanted: Counted): Model {
  const isSmall = wanted.nodes.length <= limits.simulatedSessions
  return wanted.kills.length > 0 || isSmall ? 'sessions' : 'fluid'
}

/** Yields now and then. */
export function* simulatePush(wanted: Wanted, model: Model): Generator<void, Simulated> {
  const { nodes, strategy, shape, bytes, grouping, originUplinkBytesPerSecond } = wanted
  const origin = { uplinkBytesPerSecond: originUplinkBytesPerSecond }
  const blockBytes = simulatedBlockBytes(bytes)
  const file = { bytes, dataBytes: bytes, blockBytes }
  const forecast = forecastOf(shape, { strategy, file, origin, nodes, groups: grouping })
  const { groups, parents } = treeOf(wanted.tellsRates ? nodes : nodes.map(placeOf), {
    ...grouping,
    ...(wanted.tellsRates && { load: { bytes, origin } }),
    shape: shape === 'unicast' ? 'group' : shape,
  })
  const answer = yield* (model === 'fluid' ? simulateFluid : simulateSessions)(wanted)
  return { ...forecast, ...answer, groups, parents }
}

/** What a planner that is told no rates knows of a node. */
function placeOf({ address, site }: NodeLink): NodeLink {
  return { address, ...(site !== undefined && { site }) }
}
