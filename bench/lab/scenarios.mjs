/**
 * The networks of the lab, as data, and the fluid bound of each.
 *
 * Speeds are Mbit/s of the wire; `bytes` is the file size. Host 0 is the origin. Times are shares
 * of the bound: at `fault.at` a host is killed and its link cut, at `changes.at` a speed changes,
 * at `joins.at` a host is added to the push. The `slow` host is judged separately.
 *
 * `line` is a long way between all hosts, `siteMbit` the speed of each link between the sites of
 * hosts (lab.mjs), `args` are options of `fr push`. `atOnce` pushes of a file each start together,
 * each limited to `limitMbit` at every host, up and down.
 *
 * `wanted` holds target values for the nodes that count, by the names of tables.mjs; `wantedApart`
 * those for the host judged separately. `queues` lists the default uplink queues.
 */
const MIB = 2 ** 20

const host = (upMbit, downMbit = upMbit) => ({ upMbit, downMbit })
const many = (count, each) => Array.from({ length: count }, () => ({ ...each }))

const both = ['fifo', 'fair']
const fifo = ['fifo']
const lan8 = { bytes: 128 * MIB, hosts: many(9, host(200)), queues: fifo }

/** The wanted ratio to the floor; every row also wants runs that are alike. */
const wanted = (ofFloor, more = {}) => ({ 'of floor': ofFloor, 'max/min': 1.05, ...more })

/** The same shares of speed at every scale, and a file that takes the same time. */
const hetero8 = (scale) => ({
  about:
    `uplinks ${[400, 200, 100, 50].map((up) => `2 x ${up * scale}`).join(', ')}, ` +
    `downlinks ${400 * scale}, origin ${200 * scale}`,
  bytes: 128 * MIB * scale,
  hosts: [200, 400, 400, 200, 200, 100, 100, 50, 50].map((up) => host(up * scale, 400 * scale)),
  queues: fifo,
  wanted: wanted(1.05),
})

/** A generator of numbers from 0 to 1 (mulberry32): the same for the same seed. */
function numbers(seed) {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/**
 * Uplinks spread evenly over a decade of rates, from 12 to 120 Mbit/s. The origin has `share` of
 * the uplink at which it and all uplinks together bound the time alike.
 */
export function randomUplinks(nodes, seed, share) {
  const next = numbers(seed)
  const uplinks = Array.from({ length: nodes }, () => Math.round(12 * 10 ** next() * 10) / 10)
  const level = uplinks.reduce((sum, up) => sum + up, 0) / (nodes - 1)
  const origin = Math.round(level * share * 10) / 10
  const limit = share < 1 ? 'the origin limits' : 'the uplinks limit'
  const links = `random uplinks of 12 to 120, downlinks 400, origin ${origin}`
  return {
    about: `${nodes} nodes, ${links}: ${limit} by 3 %`,
    bytes: 32 * MIB,
    hosts: [origin, ...uplinks].map((up) => host(up, 400)),
    queues: fifo,
    wanted: wanted(1.1),
  }
}

/**
 * @typedef {{ upMbit: number, downMbit: number, site?: string }} HostSpeeds
 * @typedef {{ delayMs: number, jitterMs?: number, lossPercent?: number }} Way
 * @typedef {{ forth: Way, back?: Way, seed?: number, queue?: number, reorders?: boolean }} Line
 * @typedef {{
 *   bytes: number,
 *   hosts: readonly HostSpeeds[],
 *   slow?: number,
 *   joins?: { host: number, at: number },
 *   changes?: readonly { at: number, host: number, upMbit: number }[],
 *   line?: Line,
 *   siteMbit?: number,
 *   limitMbit?: number,
 * }} Network
 * @typedef {Network & {
 *   about: string,
 *   fault?: { host: number, at: number },
 *   queues: readonly string[],
 *   args?: readonly string[],
 *   atOnce?: number,
 *   wanted?: Record<string, number>,
 *   wantedApart?: Record<string, number>,
 * }} Scenario
 * @typedef {'lan8' | 'lan8-50' | 'lan8-22s' | 'lan4-1000' | 'lan16' | 'hetero8' |
 *   'hetero8-quarter' | 'hetero8-x4' | 'random6' | 'random11' | 'random16' | 'relay8' | 'slow8' |
 *   'fault8' | 'shift8' | 'join8'} Name
 */

/** @type {Readonly<Record<Name, Scenario>>} */
export const scenarios = {
  lan8: {
    ...lan8,
    about: '8 nodes, every link 200 Mbit/s',
    queues: both,
    wanted: wanted(1.03, { 'last/median': 1.05, 'main thread': 0.03 }),
  },
  'lan8-50': {
    about: '8 nodes, every link 50 Mbit/s',
    bytes: 32 * MIB,
    hosts: many(9, host(50)),
    queues: fifo,
    wanted: wanted(1.035),
  },
  'lan8-22s': {
    about: '8 nodes, every link 100 Mbit/s: 22 s',
    bytes: 256 * MIB,
    hosts: many(9, host(100)),
    queues: fifo,
    wanted: wanted(1.012),
  },
  'lan4-1000': {
    about: '4 nodes, every link 1 Gbit/s',
    bytes: 512 * MIB,
    hosts: many(5, host(1000)),
    queues: fifo,
    wanted: wanted(1.035),
  },
  lan16: {
    about: '16 nodes, every link 100 Mbit/s',
    bytes: 64 * MIB,
    hosts: many(17, host(100)),
    queues: both,
    wanted: wanted(1.12),
  },
  hetero8: hetero8(1),
  'hetero8-quarter': hetero8(1 / 4),
  'hetero8-x4': hetero8(4),
  random6: randomUplinks(6, 6, 0.97),
  random11: randomUplinks(11, 11, 1.03),
  random16: randomUplinks(16, 16, 0.97),
  relay8: {
    about: 'origin 800, 8 nodes 200 up and 400 down: the uplinks are the limit',
    bytes: 192 * MIB,
    hosts: [host(800), ...many(8, host(200, 400))],
    queues: fifo,
    wanted: wanted(1.05),
  },
  slow8: {
    ...lan8,
    about: 'lan8 with one downlink of 20 Mbit/s; the other seven',
    hosts: lan8.hosts.map((each, at) => (at === 8 ? host(200, 20) : each)),
    slow: 8,
    wanted: wanted(1.04),
    wantedApart: wanted(1.05),
  },
  fault8: {
    ...lan8,
    about: 'lan8, one node killed and its link cut at 40 %; the survivors',
    fault: { host: 3, at: 0.4 },
    wanted: wanted(1.06),
  },
  shift8: {
    ...lan8,
    about: 'lan8, at half time one uplink falls to a tenth and another doubles',
    changes: [
      { at: 0.5, host: 2, upMbit: 20 },
      { at: 0.5, host: 5, upMbit: 400 },
    ],
    wanted: wanted(1.1),
  },
  join8: {
    ...lan8,
    about: 'lan8, a ninth node added at half time; the eight, and the new one from then on',
    hosts: many(10, host(200)),
    joins: { host: 9, at: 0.5 },
    wanted: wanted(1.05),
    wantedApart: wanted(1.1),
  },
}

/** 8 nodes at 40 Mbit/s; what hosts send is so long on its way, and so much of it is lost. */
const wan = (delayMs, lossPercent, ofFloor) => {
  const loss = lossPercent === 0 ? '' : `, ${lossPercent} % lost`
  return {
    about: `8 nodes, every link 40 Mbit/s, round trips of ${2 * delayMs} ms${loss}`,
    bytes: 32 * MIB,
    hosts: many(9, host(40)),
    line: { forth: { delayMs, lossPercent } },
    queues: fifo,
    wanted: wanted(ofFloor),
  }
}

/** The origin and as many nodes in each of these sites. */
const inSites = (each, sites, speeds) =>
  ['a', ...sites.flatMap((site) => Array(each).fill(site))].map((site) => ({ ...speeds, site }))

/** Sites in a line. */
const sites = {
  siteMbit: 100,
  queues: fifo,
  args: ['--site', 'a', '--site-link', 'a:b=100Mbit', '--site-link', 'b:c=100Mbit'],
}

/** Two pushes at once, each limited to half of every link. */
const twice = {
  queues: fifo,
  atOnce: 2,
  limitMbit: 50,
  args: ['--limit-up', '50Mbit', '--limit-down', '50Mbit'],
}

/**
 * Many nodes and long ways (the suite `groups`).
 * @type {Readonly<Record<string, Scenario>>}
 */
export const groupScenarios = {
  chain32: {
    about: '32 nodes in 4 groups of 8, every link 60 Mbit/s',
    bytes: 48 * MIB,
    hosts: many(33, host(60)),
    queues: both,
    args: ['--shape', 'chain', '--group-size', '8'],
    wanted: wanted(1.12),
  },
  sites24: {
    ...sites,
    about: '24 nodes in 3 sites, every link 200 Mbit/s, links between sites 100',
    bytes: 64 * MIB,
    hosts: inSites(8, ['a', 'b', 'c'], host(200)),
    wanted: wanted(1.1, { 'off one crossing': 0.02 }),
  },
  twice16: {
    ...twice,
    about: '16 nodes, every link 100 Mbit/s, two pushes at once, each limited to 50; the later one',
    bytes: 32 * MIB,
    hosts: many(17, host(100)),
    wanted: wanted(1.15),
  },
  'wan8-40': wan(20, 0, 1.08),
  'wan8-100': wan(50, 0, 1.2),
  'wan8-40-loss': wan(20, 0.1, 1.15),
}

/**
 * Small and short, for tests of the bench itself: of the rows of these names.
 * @type {Readonly<Record<string, Scenario>>}
 */
export const quickGroups = {
  chain32: {
    about: '3 nodes in groups of 2, every link 200 Mbit/s, round trips of 10 ms, 0.1 % lost',
    bytes: 4 * MIB,
    hosts: many(4, host(200)),
    line: { forth: { delayMs: 5, lossPercent: 0.1 } },
    queues: fifo,
    args: ['--shape', 'chain', '--group-size', '2'],
  },
  sites24: {
    ...sites,
    about: '3 nodes in 3 sites, every link 200 Mbit/s, links between sites 100',
    bytes: 4 * MIB,
    hosts: inSites(1, ['a', 'b', 'c'], host(200)),
  },
  twice16: {
    ...twice,
    about: '2 nodes, every link 100 Mbit/s, two pushes at once, each limited to 50; the later one',
    bytes: 2 * MIB,
    hosts: many(3, host(100)),
  },
}

/** Small and short, for tests of the bench itself. */
export const quickScenario = {
  about: '2 nodes, every link 200 Mbit/s',
  bytes: 4 * MIB,
  hosts: many(3, host(200)),
  queues: both,
}

/**
 * r* = min(u0, min d, (u0 + U) / n), in bytes per second, of the hosts that count: no link carries
 * more than `most`, and all of the file crosses every link between sites.
 */
function rate(hosts, most, siteMbit) {
  const [origin, ...nodes] = hosts.map(({ upMbit, downMbit }) => ({
    upMbit: Math.min(upMbit, most),
    downMbit: Math.min(downMbit, most),
  }))
  const uplinks = nodes.reduce((sum, node) => sum + node.upMbit, 0)
  const downlink = Math.min(...nodes.map((node) => node.downMbit))
  const ofAll = (origin.upMbit + uplinks) / nodes.length
  return (Math.min(origin.upMbit, downlink, ofAll, siteMbit) * 1e6) / 8
}

function changed(hosts, changes) {
  return hosts.map((each, at) => {
    const mine = changes.filter((change) => change.host === at)
    return Object.assign({}, each, ...mine.map(({ upMbit }) => ({ upMbit })))
  })
}

/**
 * T*: the least time in which every host that counts can have the file, in seconds of the fluid
 * model. With changes, the rate is integrated over time. The slow host is left out. A dead host's
 * lost uplink and a new host's share of the others' uplinks do not matter in these scenarios.
 * @param {Network} network
 */
export function boundSeconds(network) {
  const { bytes, hosts, slow, joins, changes = [] } = network
  const { limitMbit = Infinity, siteMbit = Infinity } = network
  const rateOf = (those) => rate(those, limitMbit, siteMbit)
  const counted = hosts.filter((_, at) => at !== slow && at !== joins?.host)
  const before = bytes / rateOf(counted)
  if (changes.length === 0) return before
  const at = changes[0].at * before
  if (changes.some((change) => change.at !== changes[0].at)) throw new Error('one moment of change')
  return at + (bytes - at * rateOf(counted)) / rateOf(changed(counted, changes))
}

/**
 * The least time for the host judged separately, limited by its own line: the slow one, or the new
 * one from its request on. Null without one.
 * @param {Network} network
 */
export function apartBoundSeconds({ bytes, hosts, slow, joins }) {
  const apart = slow ?? joins?.host
  return apart === undefined ? null : (bytes * 8) / (hosts[apart].downMbit * 1e6)
}
