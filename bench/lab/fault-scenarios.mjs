/**
 * The scenarios of the suite `faults`, as data: what is done to whom, once which fact is so, and
 * what is wanted of those that survive. Pure: nothing here runs anything.
 *
 * An injection waits until the host at `of` (or who it hits) has received `share` of the file, or
 * the origin (host 0) has sent as much; with 'first copy' until all of the file has left the origin
 * once. No time decides.
 */
import { boundSeconds } from './scenarios.mjs'

const MIB = 2 ** 20

/**
 * `kill` ends processes by SIGKILL, `cuts` the cables of their hosts with them; `stop` is SIGSTOP
 * and no more; `restart` a SIGKILL, and the same command again at once. `group`: all hosts of this
 * group of the plan, the first of them is looked at.
 * @typedef {{
 *   what: 'kill' | 'stop' | 'restart',
 *   host?: number,
 *   group?: number,
 *   at: number | 'first copy',
 *   cuts?: boolean,
 * }} Injection
 * @typedef {{
 *   about: string,
 *   bytes: number,
 *   hosts: readonly import('./scenarios.mjs').HostSpeeds[],
 *   beside?: string,
 *   mirror?: number,
 *   injections: readonly Injection[],
 *   args?: readonly string[],
 *   outcome: 'complete' | 'missing',
 *   wanted: Record<string, number>,
 * }} FaultScenario
 * @typedef {{
 *   nodes: number, mbit: number, bytes: number,
 *   chain: { nodes: number, mbit: number, bytes: number, groupSize: number },
 *   args?: readonly string[],
 * }} Size
 */

/** The size of lan8, and 16 nodes in 4 groups: T* is 5.4 s in both. */
const full = {
  nodes: 8,
  mbit: 200,
  bytes: 128 * MIB,
  chain: { nodes: 16, mbit: 100, bytes: 64 * MIB, groupSize: 4 },
}

/** Small and short, for tests of the bench itself. */
const small = {
  nodes: 4,
  mbit: 20,
  bytes: 4 * MIB,
  chain: { nodes: 4, mbit: 20, bytes: 4 * MIB, groupSize: 1 },
  args: ['--silence', '3s'],
}

const hosts = (count, mbit) =>
  Array.from({ length: count }, () => ({ upMbit: mbit, downMbit: mbit }))
const ofFloor = (most) => ({ 'of floor': most, 'max/median': 1.05 })
const kill = (host, at) => ({ what: /** @type {const} */ ('kill'), host, at })

/**
 * @param {Size} size
 * @returns {Readonly<Record<string, FaultScenario>>}
 */
function scenariosOf({ nodes, mbit, bytes, chain, args = [] }) {
  const group = {
    about: `${nodes} nodes, every link ${mbit} Mbit/s`,
    bytes,
    hosts: hosts(nodes + 1, mbit),
    beside: 'none',
    args,
    outcome: /** @type {const} */ ('complete'),
  }
  const { groupSize } = chain
  const inGroups = {
    ...group,
    about:
      `${chain.nodes} nodes in ${chain.nodes / groupSize} groups, ` +
      `every link ${chain.mbit} Mbit/s`,
    bytes: chain.bytes,
    hosts: hosts(chain.nodes + 1, chain.mbit),
    beside: 'chain',
    args: [...args, '--shape', 'chain', '--group-size', String(groupSize)],
  }
  return {
    none: { ...group, beside: undefined, injections: [], wanted: {} },
    killed: { ...group, injections: [{ ...kill(3, 0.4), cuts: true }], wanted: ofFloor(1.06) },
    'two-killed': {
      ...group,
      injections: [
        { ...kill(3, 0.2), cuts: true },
        { ...kill(2, 0.6), cuts: true },
      ],
      wanted: ofFloor(1.12),
    },
    hung: { ...group, injections: [{ what: 'stop', host: 3, at: 0.4 }], wanted: ofFloor(1.12) },
    restarted: {
      ...group,
      injections: [{ what: 'restart', host: 3, at: 0.4 }],
      wanted: { 'of floor': 1.3 },
    },
    'origin-dealt': { ...group, injections: [kill(0, 'first copy')], wanted: ofFloor(1.1) },
    'origin-mirror': {
      ...group,
      about: `${group.about}, and a mirror`,
      hosts: hosts(nodes + 2, mbit),
      mirror: nodes + 1,
      injections: [kill(0, 0.6)],
      wanted: ofFloor(1.25),
    },
    'origin-gone': {
      ...group,
      injections: [kill(0, 0.6)],
      outcome: 'missing',
      wanted: { 's until named': 5 },
    },
    chain: { ...inGroups, beside: undefined, injections: [], wanted: {} },
    'chain-killed': {
      ...inGroups,
      injections: [{ what: 'kill', group: 1, at: 0.4, cuts: true }],
      wanted: ofFloor(1.1),
    },
  }
}

export const faultScenarios = scenariosOf(full)
export const quickFaults = scenariosOf(small)

/**
 * T*, of whom nobody takes away: links are alike, so who dies takes as much of what is to be sent
 * as of what can send it.
 * @param {FaultScenario} scenario
 */
export const faultBoundSeconds = ({ bytes, hosts: all, mirror }) =>
  boundSeconds({ bytes, hosts: all.filter((_, at) => at !== mirror) })
