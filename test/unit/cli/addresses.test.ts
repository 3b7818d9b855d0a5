import { describe, expect, it } from 'vitest'
import { limits } from '../../../src/base/limits.js'
import { parseAddress, parseNodesFile, parseTargets } from '../../../src/cli/arguments/addresses.js'
import { UsageError } from '../../../src/cli/render/units.js'

describe('parseAddress', () => {
  it.each([
    '127.0.0.1:7400',
    'node-1.example.org:1',
    '[::1]:7400',
    '[fe80::1%eth0]:65535',
    'localhost:80',
  ])('%s', (text) => expect(parseAddress(text)).toBe(text))

  it.each([
    ['node-1', 'node-1:7400'],
    ['10.0.0.2', '10.0.0.2:7400'],
    ['[::1]', '[::1]:7400'],
    ['[fe80::1%eth0]', '[fe80::1%eth0]:7400'],
    ['node-1:07401', 'node-1:7401'],
  ])('%s is %s', (text, address) => expect(parseAddress(text)).toBe(address))

  it('takes port 0 only where a port may be picked', () => {
    expect(parseAddress('127.0.0.1:0', 0)).toBe('127.0.0.1:0')
    expect(() => parseAddress('127.0.0.1:0')).toThrow('the port is a number from 1 to 65535')
  })

  it.each(['', '127.1'])('refuses %j', (text) =>
    expect(() => parseAddress(text)).toThrow(UsageError),
  )

  it('knows a port that is too large', () =>
    expect(() => parseAddress('host:65536')).toThrow('the port is a number from 1 to 65535'))

  it('says how IPv6 is written', () =>
    expect(() => parseAddress('::1:7400')).toThrow(
      "'::1:7400' is not HOST[:PORT]; write IPv6 as [::1]:7400",
    ))
})

describe('parseTargets', () => {
  it('splits at commas', () =>
    expect(parseTargets('a:1, b:2,[::1]:3')).toEqual([
      { address: 'a:1' },
      { address: 'b:2' },
      { address: '[::1]:3' },
    ]))
  it('refuses an empty place', () =>
    expect(() => parseTargets('a:1,,b:2')).toThrow("'' is not HOST[:PORT]"))
  it('refuses what other programs take for an option', () =>
    expect(() => parseTargets('a:1,-s')).toThrow("'-s': no host begins with '-'"))
  it('refuses the same twice', () =>
    expect(() => parseTargets('a:1,b:2,a:1')).toThrow('a:1 is named twice'))
  it('knows the same by another spelling', () => {
    expect(() => parseTargets('Host,host:7400')).toThrow('host:7400 is named twice')
    expect(() => parseTargets('a:1,a:01')).toThrow('a:1 is named twice')
  })
  it('refuses more than a push takes', () => {
    const most = limits.nodesPerPush
    const list = Array.from({ length: most + 1 }, (_, index) => `host:${index + 1}`)
    expect(parseTargets(list.slice(1).join(','))).toHaveLength(most)
    expect(() => parseTargets(list.join(','))).toThrow(`more than ${most} nodes`)
  })
})

describe('parseNodesFile', () => {
  const parse = (text: string) => parseNodesFile(text, 'nodes.txt')

  it('reads addresses, comments and attributes', () => {
    const text = [
      '# the hall in Amsterdam',
      '10.0.0.2:7400  uplink=1Gbit site=ams advertise=192.168.0.2:7401',
      '',
      '  10.0.0.3:7400\tvia=10.0.0.1 downlink=200Mbit   # the old one',
      '[::1]:7400#7',
      '10.0.0.4:7400 site=a#b\r',
      '',
    ]
    expect(() => parse(text.join('\n'))).toThrow("nodes.txt:5: '[::1]:7400#7' is not HOST[:PORT]")
    text[4] = '[::1]:7400 #7'
    expect(parse(text.join('\n'))).toEqual([
      {
        address: '10.0.0.2:7400',
        uplinkBytesPerSecond: 125_000_000,
        site: 'ams',
        advertise: '192.168.0.2:7401',
      },
      { address: '10.0.0.3:7400', via: '10.0.0.1:7400', downlinkBytesPerSecond: 25_000_000 },
      { address: '[::1]:7400' },
      { address: '10.0.0.4:7400', site: 'a#b' },
    ])
  })

  it.each([
    ['a:1\na:1', 'nodes.txt:2: a:1 is named twice'],
    [
      'a:1\nb:2 speed=3',
      "nodes.txt:2: unknown attribute 'speed'; known are uplink, downlink, site, advertise and via",
    ],
    ['a:1 uplink=0Mbit', "nodes.txt:1: '0Mbit' is not a rate; it must be above zero"],
    ['a:1 downlink=0bit', "nodes.txt:1: '0bit' is no"],
    ['a:1\nb:2\nA:0001 uplink=1Gbit', 'nodes.txt:3: A:1 is named twice'],
    ['a:1 uplink=fast', "nodes.txt:1: 'fast' is not a rate"],
    ['a:1 uplink=', "nodes.txt:1: 'uplink=' is not NAME=VALUE"],
    ['a:1 uplink', "nodes.txt:1: 'uplink' is not NAME=VALUE"],
    ['-b:1', "nodes.txt:1: '-b:1': no host begins with '-'"],
    ['a:1 advertise=--help', "nodes.txt:1: '--help': no host begins with '-'"],
    ['a:1 advertise=b:c', "nodes.txt:1: 'b:c' is not HOST[:PORT]"],
    ['a:1 site=x site=y', 'nodes.txt:1: site is given twice'],
    [`a:1 site=${'s'.repeat(65)}`, 'nodes.txt:1: a site name has at most 64 characters'],
    ['\n\nuplink=1Gbit', "nodes.txt:3: 'uplink=1Gbit' is not HOST[:PORT]"],
    ['# nothing\n\n', 'nodes.txt: names no node'],
    ['', 'nodes.txt: names no node'],
  ])('refuses %j', (text, message) => {
    expect(() => parse(text)).toThrow(UsageError)
    expect(() => parse(text)).toThrow(message)
  })
})
