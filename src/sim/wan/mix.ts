/** Runs drawn from a seed: small networks in which anything may go wrong, much of it at once. */
import { parseCriteria } from '../../base/criteria.js'
import type { Carries, LinkSpec, SiteSpec } from '../../control/copies/network.js'
import type { FileSet, SetFile } from '../../control/copies/sets.js'
import { Random } from '../random.js'
import { digestOf } from './contents.js'
import type {
  Growth,
  LinkTrouble,
  NodeTrouble,
  WanContent,
  WanNodeSpec,
  WanScenario,
} from './scenario.js'

const MB = 1e6
/** Nothing happens by itself after that. */
const calmMs = 120_000
/** What has failed is tried again after a quarter of an hour at most, more than once. */
const patienceMs = 3_600_000

export const wanKinds = [
  ...['link slow', 'link failed', 'killed', 'disk lost', 'unlinked', 'master killed', 'drained'],
  ...['liar', 'corrupts', 'full disk', 'growing', 'new version', 'pinned', 'sets change', 'from'],
  ...['never', 'budget', 'share', 'no limits', 'one site', 'site links', 'no way'],
] as const
export type WanKind = (typeof wanKinds)[number]

export interface DrawnWan {
  readonly scenario: WanScenario
  readonly kinds: ReadonlySet<WanKind>
}

export function drawnWan(seed: number): DrawnWan {
  return new Drawing(seed).drawn()
}

class Drawing {
  readonly #seed: number
  readonly #random: Random
  readonly #kinds = new Set<WanKind>()
  /** How likely each kind of trouble is: most runs have few. */
  readonly #trouble: number

  constructor(seed: number) {
    this.#seed = seed
    this.#random = new Random(seed)
    this.#trouble = this.#random.pick([0, 0.1, 0.3, 0.6])
  }

  drawn(): DrawnWan {
    const random = this.#random
    const count = random.pick([1, 2, 3, 4, 6])
    if (count === 1) this.#kinds.add('one site')
    const sites = Array.from({ length: count }, (_, i) => this.#site(i))
    const links = this.#links(count)
    const nodes = Array.from({ length: random.integer(2, 14) }, (_, i) => this.#node(i, count))
    const contents = this.#contents(nodes)
    const withLies = nodes.map((node) => this.#lies(node, contents))
    return {
      kinds: this.#kinds,
      scenario: {
        seed: this.#seed,
        topology: { sites, links, routes: [] },
        nodes: withLies,
        contents,
        sets: this.#setsOverTime(contents),
        drains: this.#drains(nodes),
        linkTroubles: links.flatMap((link) => this.#linkTrouble(link)),
        nodeTroubles: nodes.flatMap((node) => this.#nodeTrouble(node, contents)),
        masterTroubles: this.#masterTroubles(),
        view: random.pick(['near', 'near', 'overall', 'changed']),
        objective: random.pick([{ kind: 'all' }, { kind: 'mean' }, { kind: 'first', nodes: 2 }]),
        slack: random.pick([1, 1.25, 2]),
        calmMs,
        horizonMs: calmMs + patienceMs,
      },
    }
  }

  #goesWrong(kind: WanKind, part = 1): boolean {
    const isSo = this.#random.chance(this.#trouble * part)
    if (isSo) this.#kinds.add(kind)
    return isSo
  }

  #may(kind: WanKind, probability: number): boolean {
    const isSo = this.#random.chance(probability)
    if (isSo) this.#kinds.add(kind)
    return isSo
  }

  #rate(least: number, most: number): number {
    return Math.round(this.#random.between(least, most) * MB)
  }

  #site(i: number): SiteSpec {
    const name = `s${i}`
    if (!this.#may('site links', 0.2)) return { name }
    const way = (): Carries => ({ bytesPerSecond: this.#rate(1, 8), costPerGb: 0.01 })
    return { name, up: way(), down: way() }
  }

  /** A ring both ways, so that each can be reached without any one link; or no links at all. */
  #links(count: number): LinkSpec[] {
    const random = this.#random
    const links: LinkSpec[] = []
    if (count === 1 || this.#may('no limits', 0.1)) return links
    const add = (from: number, to: number) =>
      links.push({ name: `${from}-${to}`, from: `s${from}`, to: `s${to}`, ...this.#carries() })
    const isOpen = this.#may('no way', 0.1)
    for (let i = 0; i < count; i++) {
      const next = (i + 1) % count
      if (count === 2 && i === 1) break
      // One end of a line can be reached, and is no source for others.
      if (isOpen && i === count - 1) break
      add(i, next)
      if (!isOpen || random.chance(0.7)) add(next, i)
    }
    if (count > 3 && random.chance(0.5)) add(0, 2)
    return links
  }

  #carries(): Carries {
    const random = this.#random
    const costPerGb = random.between(0, 0.1)
    const bytesPerSecond = this.#rate(0.5, 6)
    const share = this.#may('share', 0.2) ? { share: random.between(0.3, 1) } : {}
    if (!this.#may('budget', 0.2)) return { bytesPerSecond, costPerGb, ...share }
    const fromMinute = random.integer(0, 2)
    const window = { fromMinute, toMinute: fromMinute + random.integer(1, 3) }
    const budget = [{ ...window, bytesPerSecond: random.pick([0, this.#rate(0.1, 0.5)]) }]
    return { bytesPerSecond, costPerGb, budget, ...share }
  }

  #node(i: number, sites: number): WanNodeSpec {
    const random = this.#random
    const line = this.#rate(0.5, 12)
    const isTold = random.chance(0.7)
    const way = (): Carries => ({
      bytesPerSecond: isTold ? line : Number.POSITIVE_INFINITY,
    })
    return {
      name: `n${i}`,
      site: `s${random.integer(0, sites - 1)}`,
      attributes: { tier: random.pick(['gold', 'iron']) },
      ...{ up: way(), down: way(), lineBytesPerSecond: line },
      diskBytes: i > 0 && this.#goesWrong('full disk', 0.2) ? 20 * MB : 1e12,
      latencyMs: random.between(0.2, 80),
      lies: [],
      corrupts: i > 0 && this.#goesWrong('corrupts', 0.2),
    }
  }

  #lies(node: WanNodeSpec, contents: readonly WanContent[]): WanNodeSpec {
    if (!this.#goesWrong('liar', 0.2)) return node
    const { contentId } = this.#random.pick(contents)
    return { ...node, lies: [contentId] }
  }

  #contents(nodes: readonly WanNodeSpec[]): WanContent[] {
    const random = this.#random
    const contents: WanContent[] = []
    for (let name = 0; name < random.pick([1, 2, 4, 8]); name++) {
      const versions = this.#may('new version', 0.3) ? random.integer(2, 3) : 1
      for (let version = 0; version < versions; version++) {
        const atMs = version === 0 ? random.pick([0, 10_000]) : random.between(5_000, calmMs / 2)
        const size = Math.round(random.pick([0.1, 3, 30]) * MB * random.between(0.3, 2))
        contents.push({
          ...{ contentId: `c${name}.${version}`, name: `f${name}`, node: random.pick(nodes).name },
          ...{ atMs, size, growth: this.#may('growing', 0.15) ? this.#growth(atMs, size) : [] },
        })
      }
    }
    return contents.sort((a, b) => a.atMs - b.atMs)
  }

  /** The last step brings the last bytes, or says only that there are no more. */
  #growth(fromMs: number, size: number): Growth[] {
    const steps = this.#random.integer(2, 6)
    const everyMs = (calmMs / 2 - 5_000) / steps
    const last = steps % 2 === 0 ? steps - 1 : steps
    return Array.from({ length: steps }, (_, i) => ({
      ...{ atMs: fromMs + i * everyMs, size: Math.ceil((size * Math.min(i + 1, last)) / last) },
    }))
  }

  #setsOverTime(contents: readonly WanContent[]): WanScenario['sets'] {
    const sets = [{ atMs: this.#random.pick([0, 500]), sets: this.#sets(contents) }]
    if (this.#may('sets change', 0.2))
      sets.push({ atMs: this.#random.between(1_000, calmMs), sets: this.#sets(contents) })
    return sets
  }

  #sets(contents: readonly WanContent[]): FileSet[] {
    const random = this.#random
    const names = [...new Set(contents.map(({ name }) => name))]
    return Array.from({ length: random.integer(1, 3) }, (_, i): FileSet => {
      const mine = names.filter(() => random.chance(0.7))
      const files = mine.map((name): SetFile => {
        const versions = contents.filter((one) => one.name === name)
        const isPinned = this.#may('pinned', 0.15)
        return { name, digest: isPinned ? digestOf(random.pick(versions).contentId) : null }
      })
      return {
        ...{ name: `set${i}`, files, priority: random.integer(0, 10) },
        where: parseCriteria(random.pick(['tier = gold', 'tier', 'tier', 'site != s1'])),
        never: this.#may('never', 0.1) ? parseCriteria('site = s2') : null,
        from: this.#may('from', 0.1) ? parseCriteria('site = s0') : null,
      }
    })
  }

  #drains(nodes: readonly WanNodeSpec[]): WanScenario['drains'] {
    const random = this.#random
    return nodes.flatMap(({ name }) => {
      if (!this.#goesWrong('drained', 0.15)) return []
      const fromMs = random.between(0, calmMs / 2)
      return [{ node: name, fromMs, untilMs: random.between(fromMs, calmMs) }]
    })
  }

  #linkTrouble({ name: link }: LinkSpec): LinkTrouble[] {
    const random = this.#random
    const isFailed = this.#goesWrong('link failed', 0.3)
    if (!isFailed && !this.#goesWrong('link slow', 0.3)) return []
    const fromMs = random.between(0, calmMs / 2)
    const factor = isFailed ? 0 : random.between(0.05, 0.9)
    return [{ link, fromMs, untilMs: random.between(fromMs, calmMs), factor }]
  }

  #nodeTrouble({ name: node }: WanNodeSpec, contents: readonly WanContent[]): NodeTrouble[] {
    const random = this.#random
    const isKilled = this.#goesWrong('killed', 0.3)
    if (!isKilled && !this.#goesWrong('unlinked', 0.3)) return []
    // What only it has must not be lost with its disk while it is written.
    const isWriter = contents.some((one) => one.node === node && one.growth.length > 0)
    const losesDisk = isKilled && !isWriter && this.#goesWrong('disk lost', 0.5)
    const fromMs = random.between(0, calmMs / 2)
    const untilMs = random.between(fromMs + 100, calmMs)
    return [{ node, kind: isKilled ? 'killed' : 'unlinked', fromMs, untilMs, losesDisk }]
  }

  #masterTroubles(): WanScenario['masterTroubles'] {
    const random = this.#random
    if (!this.#goesWrong('master killed')) return []
    const fromMs = random.between(0, calmMs / 2)
    const untilMs = random.between(fromMs + 500, fromMs + 20_000)
    return [{ fromMs, untilMs }]
  }
}
