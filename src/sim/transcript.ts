/**
 * A simulated push in words: who says what to whom, in the order in which it is first heard. What
 * is said all the time (reports, heartbeats, what standbys hear) is left out.
 */
import type { RangePair } from '../base/ranges.js'
import type { Frame } from '../control/messages/types.js'
import { Cluster } from './cluster.js'
import { originIndex } from './network.js'
import type { Scenario } from './scenario.js'

const regular: ReadonlySet<Frame['type']> = new Set([
  'progress',
  'backlog',
  'beat',
  'heard',
  'manifest',
  'roster',
])

/** A line for each frame that is not of these types and differs from those before. */
export function transcriptOf(scenario: Scenario, ...without: Frame['type'][]): string {
  const lines = new Set<string>()
  const hear = (from: number, to: number, frame: Frame): void => {
    if (regular.has(frame.type) || without.includes(frame.type)) return
    const words = wordsOf(frame, (number) => memberOf(cluster, number))
    lines.add(`${nameOf(from)} -> ${nameOf(to)}: ${words}`)
  }
  const cluster: Cluster = new Cluster(scenario, hear)
  cluster.run()
  return [...lines].join('\n')
}

/** A node that is tried again takes part under another number. */
function memberOf(cluster: Cluster, number: number): string {
  const place = cluster.placeOfMember(number)
  return place === number ? nameOf(place) : `${nameOf(place)} (now ${number})`
}

function nameOf(place: number): string {
  return place === originIndex ? 'origin' : `node${place}`
}

function wordsOf(frame: Frame, nameOf: (member: number) => string): string {
  switch (frame.type) {
    case 'plan': {
      const numbers = frame.members.map(({ number }) => number)
      const { coordinator, phase } = frame
      // Whoever takes over is a member like others.
      const nodes = numbers.filter((number) => number !== originIndex)
      const by = coordinator === originIndex ? '' : `, by ${nameOf(coordinator)}`
      return `plan, ${phase}${by}, of ${nodes.map(nameOf).join(' ')}`
    }
    case 'detour':
      return `detour, ${nameOf(frame.member)} is ${frame.why}`
    case 'edgeLost':
    case 'edgeBack':
      return `${frame.type} ${frame.incoming ? 'from' : 'to'} ${nameOf(frame.member)}`
    case 'missed':
    case 'mend':
      return `${frame.type} ${nameOf(frame.member)}`
    case 'succeed':
    case 'stale':
      return `${frame.type}, ${nameOf(frame.term.member)} has term ${frame.term.counter}`
    case 'seal':
      return frame.fileDigest === null ? 'seal, which nobody has heard' : 'seal'
    case 'holds':
    case 'accept':
      return saidOf(frame.type, frame.have)
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

function saidOf(type: string, have: readonly RangePair[]): string {
  const bytes = have.reduce((sum, [, length]) => sum + length, 0)
  return bytes === 0 ? type : `${type}, with blocks`
}
