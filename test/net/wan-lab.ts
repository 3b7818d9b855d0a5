/**
 * Three sites with four hosts each, every site linked to each other one, and the host of a master
 * that reaches all of them over links of its own.
 *
 * Sites are bridges. So that three of them in a ring forward nothing round and round, they learn
 * and flood nothing between each other: where each host is is written down.
 */

import { Lab } from '../../bench/lab/lab.mjs'
import { batch, ip } from '../../bench/lab/namespaces.mjs'
import { siteLinkDevices, tbf } from '../../bench/lab/shaping.mjs'
import { type Sample, samplesOf } from './wire.js'

const sites = ['a', 'b', 'c'] as const
const perSite = 4
/** Beyond what any link between sites carries. */
export const hostMbit = 400

/** a1 to a4, b1 and so on. */
export const wanNodes = sites.flatMap((site) =>
  Array.from({ length: perSite }, (_, i) => `${site}${i + 1}`),
)

/** The links by their ends; site 0 is the master's. The first three are those of `Lab`. */
const ends = [
  [0, 1],
  [1, 2],
  [2, 3],
  [1, 3],
  [0, 2],
  [0, 3],
] as const
const siteNames = ['m', ...sites]

export interface SiteLink {
  /** FROM-TO */
  readonly name: string
  readonly device: string
}

export class WanLab {
  readonly lab: Lab
  readonly nodeHosts: readonly { readonly host: number; readonly name: string }[]
  /** One way each. */
  readonly links: readonly SiteLink[]
  readonly #switch: string

  /** `mbit` of the links between two sites, by `FROM-TO`, for both ways. */
  constructor(mbit: Readonly<Record<string, number>>) {
    const speeds = { upMbit: hostMbit, downMbit: hostMbit }
    const hosts = ['m', ...wanNodes].map((name) => ({ ...speeds, site: name[0] as string }))
    this.lab = Lab.create({ hosts, siteMbit: Number.POSITIVE_INFINITY })
    this.nodeHosts = wanNodes.map((name, i) => ({ host: i + 1, name }))
    this.#switch = this.lab.namespaces[0] as string
    try {
      this.links = this.#linked(mbit)
    } catch (error) {
      this.lab.close()
      throw error
    }
  }

  #linked(mbit: Readonly<Record<string, number>>): SiteLink[] {
    const more = ends.flatMap(([from, to], link) => {
      if (link < siteNames.length - 1) return []
      const [near, far] = siteLinkDevices(link) as [string, string]
      return [`link add ${near} type veth peer name ${far}`, [near, from], [far, to]] as const
    })
    const devices = ends.flatMap((_, link) => siteLinkDevices(link))
    const silent = devices.map(
      (device) => `link set dev ${device} learning off flood off mcast_flood off bcast_flood off`,
    )
    const plug = ([device, site]: readonly [string, number]) =>
      `link set ${device} master br${site}`
    batch(
      'ip',
      this.#switch,
      more.map((one) => (typeof one === 'string' ? one : plug(one))),
    )
    batch('bridge', this.#switch, silent)
    batch('bridge', this.#switch, this.#places())
    // Each packet is counted with its headers.
    batch(
      'ip',
      this.#switch,
      devices.map((device) => `link set ${device} gso_max_segs 1 up`),
    )
    for (const [host, name] of this.lab.namespaces.slice(1).entries())
      batch('ip', name, [`link set eth0 address ${mac(host)}`, ...this.#neighbours()])
    return ends.flatMap(([from, to], link) => {
      const [near, far] = siteLinkDevices(link) as [string, string]
      const [one, other] = [siteNames[from], siteNames[to]]
      const rate = mbit[`${one}-${other}`]
      if (rate === undefined) return []
      batch('tc', this.#switch, [...tbf(near, rate), ...tbf(far, rate)])
      return [
        { name: `${one}-${other}`, device: near },
        { name: `${other}-${one}`, device: far },
      ]
    })
  }

  /** By which link of its own a site reaches each host of another one. */
  #places(): string[] {
    return ends.flatMap(([from, to], link) => {
      const [near, far] = siteLinkDevices(link) as [string, string]
      const at = (site: number, device: string) =>
        this.#hostsAt(site).map((host) => `fdb replace ${mac(host)} dev ${device} master static`)
      return [...at(to, near), ...at(from, far)]
    })
  }

  #hostsAt(site: number): number[] {
    if (site === 0) return [0]
    return Array.from({ length: perSite }, (_, i) => 1 + (site - 1) * perSite + i)
  }

  #neighbours(): string[] {
    const all = Array.from({ length: this.lab.size }, (_, host) => host)
    return all.map(
      (host) =>
        `neigh replace ${this.lab.address(host)} lladdr ${mac(host)} dev eth0 nud permanent`,
    )
  }

  /** What both ways of a link between two sites carry from now on; 0: nothing. */
  setLink(name: string, mbit: number): void {
    const [from, to] = name.split('-')
    for (const { name: one, device } of this.links) {
      if (one !== name && one !== `${to}-${from}`) continue
      ip('-n', this.#switch, 'link', 'set', device, mbit === 0 ? 'down' : 'up')
      if (mbit > 0) batch('tc', this.#switch, tbf(device, mbit, 'change'))
    }
  }

  /** What goes over each link, in the order of `links`. */
  watch() {
    const files = this.links.map(({ device }) => `/sys/class/net/${device}/statistics/tx_bytes`)
    return samplesOf(this.#switch, files)
  }

  close(): void {
    this.lab.close()
  }
}

function mac(host: number): string {
  return `02:00:00:00:00:${host.toString(16).padStart(2, '0')}`
}

/** Bytes of the busiest second of one of the files. */
export function busiestSecond(samples: readonly Sample[], file: number): number {
  let [most, start] = [0, 0]
  const bytes = (sample: Sample | undefined) => sample?.values[file] ?? 0
  for (const [i, sample] of samples.entries()) {
    while (sample.at - (samples[start + 1]?.at ?? sample.at) >= 1e9) start++
    const seconds = (sample.at - (samples[start] as Sample).at) / 1e9
    if (seconds >= 1) most = Math.max(most, (bytes(samples[i]) - bytes(samples[start])) / seconds)
  }
  return most
}
