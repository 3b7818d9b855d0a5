/** Topologies as people write them, and every way in which one is wrong. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { Network } from '../../../src/control/copies/network.js'
import { usualWeights } from '../../../src/control/copies/score.js'
import { readNetwork, readTopology } from '../../../src/documents/topology.js'

const example = readFileSync('examples/wan/topology.yaml', 'utf8')

const head = 'apiVersion: fastreplica/v1\nkind: Topology\nspec:\n'

/** The lines of the error; none: it is right. */
function faultsOf(spec: string, path = 't.yaml', before = head): string[] {
  try {
    readTopology({ path, text: `${before}${spec}` })
    return []
  } catch (error) {
    expect(error).toMatchObject({ code: 'ERR_FR_DOCUMENT' })
    return (error as Error).message.split('\n')
  }
}

const two = '  sites: [{name: a}, {name: b}]\n'

describe('a topology', () => {
  it('is read as the example has it, and the document shows the example', () => {
    expect(readFileSync('docs/master.md', 'utf8')).toContain(example)
    const { sites, links, routes, nodes } = readTopology({ path: 'topology.yaml', text: example })
    const mbit = 125_000
    expect(sites).toEqual([
      { name: 'ams' },
      { name: 'fra' },
      { name: 'sin', down: { bytesPerSecond: 200 * mbit, share: 0.8 } },
    ])
    const near = { bytesPerSecond: 100 * mbit, costPerGb: 0.01 }
    expect(links.slice(0, 2)).toEqual([
      { name: 'ams-fra', from: 'ams', to: 'fra', ...near },
      { name: 'fra-ams', from: 'fra', to: 'ams', ...near },
    ])
    expect(links[4]).toEqual({
      ...{ name: 'ams-sin-direct', from: 'ams', to: 'sin' },
      ...{ bytesPerSecond: 50 * mbit, costPerGb: 0.09 },
      budget: [{ fromMinute: 60, toMinute: 600, bytesPerSecond: 10 * mbit }],
    })
    expect(routes).toEqual([{ from: 'sin', to: 'ams', via: ['sin-fra', 'fra-ams'] }])
    expect(nodes).toEqual([{ name: 'fra-1', up: { bytesPerSecond: 50 * mbit } }])
  })

  it('limits a node beside what it says itself: the lower rate holds', () => {
    const network = new Network(readTopology({ path: 't', text: example }))
    const own = (rate: number) => ({ up: { bytesPerSecond: rate }, down: { bytesPerSecond: rate } })
    const wide = network.addNode({ name: 'fra-1', site: 'fra', ...own(1e9) })
    expect(network.resources.capability(network.uplink(wide), 0)).toBe(6_250_000)
    expect(network.resources.capability(network.downlink(wide), 0)).toBe(1e9)
    network.addNode({ name: 'fra-1', site: 'fra', ...own(1_000) })
    expect(network.resources.capability(network.uplink(wide), 0)).toBe(1_000)
  })

  it.each([
    ['no YAML', '  sites: [', ['t.yaml:4:11: Flow sequence in block collection must be']],
    ['a field that is not known', '  site: []', ['t.yaml:4:3: spec: there is no field "site"']],
    ['no list', '  sites: 5', ['t.yaml:4:10: spec.sites: a list is expected']],
    [
      'no name',
      '  sites: [{up: 1Gbit}]',
      ['t.yaml:4:11: spec.sites[0]: the field name is missing'],
    ],
    ['a rate in no unit', '  sites: [{name: a, up: 5}]', ["spec.sites[0].up: '5' is not a rate"]],
    ['a negative rate', '  sites: [{name: a, up: -5Mbit}]', ["up: '-5Mbit' is not a rate"]],
    ['an absurd one', '  sites: [{name: a, up: 900Tbit}]', ['faster than any link (100Tbit)']],
    [
      'a field twice',
      '  sites: []\n  sites: []',
      ['t.yaml:5:3: spec: the field sites is there twice'],
    ],
    [
      'a site twice',
      '  sites: [{name: a},\n    {name: a}]',
      ['t.yaml:5:5: spec.sites[1]: site a is there twice'],
    ],
    [
      'sites that are not there',
      `${two}  links: [{from: a, to: c, rate: 1Mbit}]`,
      ['t.yaml:5:11: spec.links[0]: link a-c: there is no site c'],
    ],
    ['a link without a rate', `${two}  links: [{from: a, to: b}]`, ['the field rate is missing']],
    [
      'a link to itself',
      `${two}  links: [{from: a, to: a, rate: 1Mbit}]`,
      ['link a-a leads from a to itself'],
    ],
    [
      'a link twice',
      `${two}  links: [{from: a, to: b, rate: 1Mbit}, {from: a, to: b, rate: 2Mbit}]`,
      ['t.yaml:5:42: spec.links[1]: link a-b is there twice'],
    ],
    [
      'a route in a circle',
      `${two}  links: [{from: a, to: b, rate: 1Mbit, bothWays: true}]
  routes: [{from: a, to: b, via: [a-b, b-a, a-b]}]`,
      ['t.yaml:6:12: spec.routes[0]: route from a to b: it comes to a twice'],
    ],
    [
      'a route over what is no link',
      `${two}  routes: [{from: a, to: b, via: [x]}]`,
      ['route from a to b: there is no link x'],
    ],
    [
      'windows that overlap',
      `  sites:
    - name: a
      up:
        rate: 1Gbit
        budget:
          - {from: "22:00", to: "02:00", rate: 0}
          - {from: "01:00", to: "03:00", rate: 1Mbit}`,
      ['t.yaml:10:13: spec.sites[0].up.budget[1]: another window has a part of this time'],
    ],
    [
      'prices, parts and times that are none',
      `  sites:
    - name: a
      up: {rate: 1Gbit, price: -1, share: 120%, budget: [{from: "25:00", to: "1:00", rate: 0}]}`,
      [
        't.yaml:6:32: spec.sites[0].up.price: "-1" is no price',
        "t.yaml:6:43: spec.sites[0].up.share: '120%' is no part",
        'spec.sites[0].up.budget[0].from: "25:00" is no time of the day',
        'spec.sites[0].up.budget[0].to: "1:00" is no time of the day',
      ],
    ],
    [
      'an alias to nothing',
      '  sites: *nowhere',
      ['t.yaml:4:10: nothing before it is &nowhere', 'a list is'],
    ],
    [
      'an alias within itself',
      '  sites: &a [*a]',
      ['t.yaml:4:14: spec.sites[0]: fields are expec'],
    ],
    ['depth', `  sites: ${'['.repeat(100_000)}`, ['t.yaml:4:42: it is nested more than 32 deep']],
    [
      'depth in a line',
      `  ${'- '.repeat(50_000)}`,
      ['t.yaml:4:67: it is nested more than 32 deep'],
    ],
    ['size', `#${'x'.repeat(2 ** 21)}`, ['t.yaml: it is longer than 2097152 bytes']],
  ])('is refused with its place: %s', (_, spec, expected) => {
    const found = faultsOf(spec)
    for (const text of expected) expect(found.join('\n')).toContain(text)
    expect(found.length).toBe(expected.length)
  })

  it('is refused as a document of another kind or version, none, and two', () => {
    const of = (text: string) => faultsOf('', 't.yaml', text)
    const what = 'apiVersion: v1\nkind: Pod\nspec: {}'
    expect(of(what)).toEqual([
      't.yaml:1:13: apiVersion: "v1" is not fastreplica/v1',
      't.yaml:2:7: kind: "Pod" is not Topology or Scheduling',
    ])
    expect(of('# nothing\n')).toEqual(['t.yaml: there is no topology in it'])
    expect(of(`${head}  {}\n---\n${head}  {}\n`)).toEqual([
      't.yaml:6:1: there is another topology before it',
    ])
  })

  it('may stand beside how a master is to decide', () => {
    const how = (spec: string) => {
      const text = `${example}---\napiVersion: fastreplica/v1\nkind: Scheduling\nspec: ${spec}\n`
      return readNetwork({ path: 't', text }).scheduling
    }
    expect(
      how('{objective: first-8, view: changed, weights: {cost: 0.5}, slack: 1, faults: 2}'),
    ).toEqual({
      ...{ objective: { kind: 'first', nodes: 8 }, view: 'changed', slack: 1, faults: 2 },
      weights: { ...usualWeights, cost: 0.5 },
    })
    expect(readNetwork({ path: 't', text: example }).scheduling).toEqual({})
    for (const [bad, why] of [
      ['{objective: first-0}', 'spec.objective: "first-0" is not all, mean or first-N'],
      ['{view: far}', 'spec.view: "far" is not near, overall, changed'],
      ['{weights: {cost: -1}}', 'spec.weights.cost: "-1" is no number from 0 to 1000'],
      ['{weights: {price: 1}}', 'spec.weights: there is no field "price"'],
      ['{slack: 0.5}', 'spec.slack: "0.5" is no number from 1 to 10'],
    ] as const)
      expect(() => how(bad)).toThrow(why)
  })

  it('is told all its faults up to a bound', () => {
    const found = faultsOf(`  sites:\n${'    - {name: a, x: 1}\n'.repeat(50)}`)
    expect(found.length).toBe(21)
    expect(found.at(-1)).toBe('and 30 more')
  })

  it('follows only so many aliases', () => {
    const links = '    - {from: a, to: b, rate: *r}\n'.repeat(101)
    const found = faultsOf(`${two}  nodes: [{name: n, up: &r 1Mbit}]\n  links:\n${links}`)
    expect(found[0]).toContain('more than 100 aliases are followed')
  })
})
