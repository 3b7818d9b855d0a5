/**
 * A simulated push in words: who says what to whom, in the order in which it is first heard. What
 * is said all the time (reports, heartbeats, what standbys hear) is left out.
 */
import type { Frame } from '../control/messages/types.js'
import { Cluster } from './cluster.js'
import { originIndex } from './network.js'
import type { Scenario } from './scenario.js'

const regular: ReadonlySet<Frame['type']> = new Set([
  'progress',
  'backlog',
  'beat',
  'manifest',
  'roster',
])

/** A line for each frame that is not of these types and differs from those before. */
export function transcriptOf(scenario: Scenario, ...without: Frame['type'][]): string {
  const lines = new Set<string>()
  const hear = (from: number, to: number, frame: Frame): void => {
    if (regular.has(frame.type) || without.includes(frame.type)) return
    lines.add(`${nameOf(from)} -> ${nameOf(to)}: ${wordsOf(frame)}`)
  }
  new Cluster(scenario, hear).run()
  return [...lines].join('\n')
}

function nameOf(place: number): string {
  return place === originIndex ? 'origin' : `node${place}`
}

function wordsOf(frame: Frame): string {
  switch (frame.type) {
    case 'plan': {
      const numbers = frame.members.map(({ number }) => number)
      const nodes = numbers.filter((number) => number !== frame.coordinator)
      return `plan, ${frame.phase}, of ${nodes.map(nameOf).join(' ')}`
    }
    case 'detour':
      return `detour, ${nameOf(frame.member)} is ${frame.why}`
    case 'edgeLost':
      return `edgeLost ${frame.incoming ? 'from' : 'to'} ${nameOf(frame.member)}`
    case 'missed':
      return `missed ${nameOf(frame.member)}`
    case 'need':
      return frame.scratch ? 'need, as a repair' : 'need'
    case 'refuse':
    case 'failed':
    case 'abort':
      return `${frame.type} ${frame.code}`
    case 'lagging':
      return `lagging ${frame.members.map(nameOf).join(' ') || 'nobody'}`
    default:
      return frame.type
  }
}
