/** Bodies of frames between nodes that pull a content and those that hold some of it. */
import { limits } from '../base/limits.js'
import type { RangePair } from '../base/ranges.js'
import type { SwarmFrame, SwarmMate } from '../control/messages/swarming.js'
import type { Fields } from './fields.js'
import { readPlainName } from './mastering.js'
import { readAddress } from './plan.js'

type BodyOf<T extends SwarmFrame['type']> = Omit<Extract<SwarmFrame, { type: T }>, 'type'>

function readSwarm(body: Fields): BodyOf<'swarm'> {
  return {
    contentId: body.hex('contentId', 32),
    name: readPlainName(body),
    address: readAddress(body, 'address'),
    have: readRuns(body, 'have'),
    coming: readRuns(body, 'coming'),
    wants: readUnits(body, 'wants', limits.swarmWants),
    most: body.integer('most', 0, limits.swarmUnits),
    isStuck: body.boolean('isStuck'),
    others: body.integer('others', 0, limits.swarmOthers),
  }
}

function readSwarmed(body: Fields): BodyOf<'swarmed'> {
  return {
    have: readRuns(body, 'have'),
    coming: readRuns(body, 'coming'),
    grants: readUnits(body, 'grants', limits.swarmGrants),
    others: body.list('others', limits.swarmOthers, readMate),
    open: body.integer('open', 0, limits.swarmUnits),
    serviceMs: body.integer('serviceMs', 0, Number.MAX_SAFE_INTEGER),
    againMs: body.integer('againMs', 0, limits.swarmAgainMsCrowded),
  }
}

function readMate(fields: Fields): SwarmMate {
  return {
    nodeId: fields.hex('nodeId', 32),
    address: readAddress(fields, 'address'),
    site: fields.string('site', limits.siteChars),
    have: readRuns(fields, 'have'),
  }
}

function readUnits(body: Fields, name: string, most: number): number[] {
  return body.integers(name, most, 0, limits.swarmUnits - 1)
}

/** Runs of units: in order, within the units that a content may have. */
function readRuns(body: Fields, name: string): RangePair[] {
  const runs = body.ranges(name, limits.swarmRuns)
  const [first, count] = runs.at(-1) ?? [0, 0]
  if (first + count > limits.swarmUnits) body.refuse(name, 'go beyond the last unit')
  return runs
}

/** Number and reader of each. */
export const swarmFrames = {
  swarm: [160, readSwarm],
  swarmed: [161, readSwarmed],
} as const
