/**
 * The queues of the lab as lines for `ip -batch` and `tc -batch`. Pure: nothing here runs anything.
 *
 * A speed is Mbit/s of the wire; `Infinity` is a link without a queue of its own.
 */

/** TCP needs this many times T*: frames of 1514 bytes carry 1448 bytes of payload. */
export const wireFactor = 1.046

const bytesPerSecond = (mbit) => (mbit * 1e6) / 8
const burstBytes = (mbit) => Math.ceil(Math.max(bytesPerSecond(mbit) * 0.004, 32 * 1024))
const queueBytes = (mbit) => Math.ceil(bytesPerSecond(mbit) * 0.025)
/**
 * A segmentation-offload packet is up to 64 KiB; a queue must hold three of them. On slow links
 * that would be a second and more: packets are smaller there, so that a queue holds 25 ms at most
 * while it is the only one.
 */
const leafBytes = (mbit, classes) =>
  Math.ceil(Math.max(queueBytes(mbit) / classes, Math.min(queueBytes(mbit), 256 * 1024)))
const packetBytes = (mbit) => Math.floor(Math.min(64 * 1024, queueBytes(mbit) / 3))

/**
 * One token bucket for everything a device sends; nothing for an unlimited one.
 * @param {string} device
 * @param {number} mbit
 * @param {'add' | 'change'} verb
 */
export function tbf(device, mbit, verb = 'add') {
  if (mbit === Infinity) return []
  const rate = Math.round(mbit * 1e6)
  // A packet of up to 64 KiB that is queued when the rate falls must fit the new burst: tbf splits
  // packets on arrival, and one too large at the head blocks the queue for good.
  const burst = Math.max(burstBytes(mbit), verb === 'add' ? 0 : 72 * 1024)
  return [`qdisc ${verb} dev ${device} root tbf rate ${rate}bit burst ${burst} latency 25ms`]
}

function htbClass(verb, id, mbit, share) {
  const rate = Math.round((mbit * 1e6) / share)
  const ceil = Math.round(mbit * 1e6)
  const burst = burstBytes(mbit)
  const parent = id === 1 ? '1:' : '1:1'
  return (
    `class ${verb} dev eth0 parent ${parent} classid 1:${id.toString(16)} htb ` +
    `rate ${rate}bit ceil ${ceil}bit burst ${burst} cburst ${burst} quantum 3028`
  )
}

function leaf(verb, mate, mbit, share) {
  // As in tbf: what is sent meanwhile may still be of the old size.
  const limit = Math.max(leafBytes(mbit, share), verb === 'add' ? 0 : 72 * 1024)
  return `qdisc ${verb} dev eth0 parent 1:${classOf(mate).toString(16)} bfifo limit ${limit}`
}

/** Class of a destination. 1 is the root class, 2 is for small packets and all else (ARP). */
const classOf = (host) => host + 3

/** How large packets are that go into such an uplink. */
export const fairPackets = (mbit) =>
  mbit === Infinity ? [] : [`link set eth0 gso_max_size ${packetBytes(mbit)}`]

/**
 * An uplink with one class per destination.
 * @param {number} mbit
 * @param {readonly number[]} mates
 * @param {(host: number) => string} addressOf
 */
export function fairQueue(mbit, mates, addressOf) {
  if (mbit === Infinity) return []
  const share = mates.length + 1
  const lines = ['qdisc add dev eth0 root handle 1: htb default 2', htbClass('add', 1, mbit, 1)]
  lines.push(
    htbClass('add', 2, mbit, share),
    // IP packets below 128 bytes.
    'filter add dev eth0 parent 1: protocol ip prio 1 ' +
      'u32 match u16 0x0000 0xff80 at 2 flowid 1:2',
  )
  for (const mate of mates) {
    const id = classOf(mate)
    const hex = id.toString(16)
    lines.push(
      htbClass('add', id, mbit, share),
      leaf('add', mate, mbit, share),
      'filter add dev eth0 parent 1: protocol ip prio 2 ' +
        `u32 match ip dst ${addressOf(mate)}/32 flowid 1:${hex}`,
    )
  }
  return lines
}

/**
 * The same uplink with another speed.
 * @param {number} mbit
 * @param {readonly number[]} mates
 */
export function fairQueueChange(mbit, mates) {
  const share = mates.length + 1
  return [
    htbClass('change', 1, mbit, 1),
    ...[2, ...mates.map(classOf)].map((id) => htbClass('change', id, mbit, share)),
    ...mates.map((mate) => leaf('change', mate, mbit, share)),
  ]
}

const routerAddress = '10.99.255.254'

/** A host's device: in one network with the others, or with the router alone. */
export const hostLines = (address, isRouted) => [
  'link set lo up',
  `address add ${address}/${isRouted ? 32 : 24} dev eth0`,
  'link set eth0 up',
  ...(isRouted
    ? [`route add ${routerAddress} dev eth0`, `route add default via ${routerAddress}`]
    : []),
]

/**
 * The router of a network with one queue for all: it has a single device, and sends back through it
 * every packet that any host sends to any other.
 */
export const routerLines = [
  'link set lo up',
  `address add ${routerAddress}/32 dev eth0`,
  'link set eth0 up',
  'route add 10.99.0.0/24 dev eth0',
]

/**
 * The sites of these hosts, each once.
 * @param {readonly { site?: string }[]} hosts
 * @returns {string[]}
 */
export const sitesOf = (hosts) => [
  ...new Set(hosts.flatMap(({ site }) => (site === undefined ? [] : [site]))),
]

/**
 * The two ends of the link from a site to the next: what leaves by the first goes forth.
 * @param {number} link
 */
export const siteLinkDevices = (link) => [`forth${link}`, `back${link}`]

/**
 * A link between the bridges of a site and of the next.
 * @param {number} link
 */
export function siteLinkLines(link) {
  const [near, far] = siteLinkDevices(link)
  return [
    `link add ${near} type veth peer name ${far}`,
    `link set ${near} master br${link} up`,
    `link set ${far} master br${link + 1} up`,
  ]
}

/** The two ends of a delay line. */
export const lineDevices = ['forth', 'back']

/**
 * A switch that is a router with a long way inside: what the host of this address sends goes into
 * the first end of the line, all else into the second, and what comes out goes to its host.
 * @param {string} address
 */
export const lineLines = (address) => [
  'link set lo up',
  ...lineDevices.flatMap((device, at) => [
    `tuntap add dev ${device} mode tun`,
    // Room for what comes while the line has no turn.
    `link set ${device} txqueuelen 10000 up`,
    `route add default dev ${device} table ${101 + at}`,
    `rule add iif ${device} table main priority ${1 + at}`,
  ]),
  `rule add from ${address} table 101 priority 3`,
  'rule add table 102 priority 4',
]

/** The way from such a router to a host. */
export const linePortLines = (port, address) => [
  `address add ${routerAddress}/32 dev ${port}`,
  `route add ${address} dev ${port}`,
]
