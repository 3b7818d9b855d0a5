/** How a master decides: what all copies are for, and what counts how much (docs/master.md). */
import type { Objective } from '../control/copies/demand.js'
import type { MasterSpec } from '../control/copies/facts.js'
import { usualWeights, type Weights } from '../control/copies/score.js'
import type { ViewKind } from '../control/copies/views.js'
import { shown, type Value } from './yaml.js'

export type Scheduling = Pick<MasterSpec, 'objective' | 'view' | 'weights' | 'slack' | 'faults'>

const views: readonly ViewKind[] = ['near', 'overall', 'changed']
const weightMax = 1_000
const slackMax = 10
const faultsMax = 100
const firstMax = 100_000

/** What it does not say is as usual. */
export function schedulingIn(spec: Value): Scheduling {
  const fields = spec.fields(['objective', 'view', 'weights', 'slack', 'faults'])
  if (fields === null) return {}
  const view = fields.get('view')?.read((text) => {
    const known = views.find((one) => one === text)
    return known === undefined ? `${shown(text)} is not ${views.join(', ')}` : { known }
  })
  const objective = fields.get('objective')?.read(objectiveIn)
  const slack = fields.get('slack')?.read(numberFrom(1, slackMax))
  const faults = fields.get('faults')?.read(numberFrom(1, faultsMax))
  const weights = fields.get('weights')
  return {
    ...(objective && { objective }),
    ...(view && { view: view.known }),
    ...(weights && { weights: weightsIn(weights) }),
    ...(typeof slack === 'number' && { slack }),
    ...(typeof faults === 'number' && { faults: Math.round(faults) }),
  }
}

function weightsIn(at: Value): Weights {
  const names = Object.keys(usualWeights) as (keyof Weights)[]
  const weights = { ...usualWeights }
  for (const [name, value] of at.fields(names) ?? []) {
    const weight = value.read(numberFrom(0, weightMax))
    if (weight !== null) Object.assign(weights, { [name]: weight })
  }
  return weights
}

function objectiveIn(text: string): Objective | string {
  if (text === 'all' || text === 'mean') return { kind: text }
  const nodes = /^first-([1-9]\d{0,5})$/.exec(text)?.[1]
  if (nodes !== undefined && Number(nodes) <= firstMax)
    return { kind: 'first', nodes: Number(nodes) }
  return `${shown(text)} is not all, mean or first-N (the first N nodes of each file)`
}

function numberFrom(least: number, most: number): (text: string) => number | string {
  return (text) => {
    const value = /^\d{1,6}(?:\.\d{1,6})?$/.test(text) ? Number(text) : Number.NaN
    if (value >= least && value <= most) return value
    return `${shown(text)} is no number from ${least} to ${most}`
  }
}
