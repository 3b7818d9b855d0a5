import { isIPv4, isIPv6 } from 'node:net'
import { describe, expect, it } from 'vitest'
import { FrError } from '../../../src/base/errors.js'
import {
  boundAddress,
  formatAddress,
  isIp,
  isLoopback,
  parseAddress,
  reachedAt,
  requireAddress,
  requireServable,
} from '../../../src/net/address.js'
import { openKey, parseKey } from '../../../src/net/keys.js'
import fc from '../../support/property.js'

describe('reachedAt', () => {
  it.each([
    ['10.0.0.2:7400', '10.0.0.9:50000', '10.0.0.2:7400'],
    ['0.0.0.0:7400', '10.0.0.9:50000', '10.0.0.9:7400'],
    ['[::]:7400', '[fe80::1]:50000', '[fe80::1]:7400'],
    ['0.0.0.0:7400', 'nobody knows', '0.0.0.0:7400'],
  ])('%s, dialled from %s, is %s', (said, from, at) => expect(reachedAt(said, from)).toBe(at))
})

describe('parseAddress', () => {
  it.each([
    ['10.0.0.2:7400', '10.0.0.2', 7400],
    ['127.0.0.1:0', '127.0.0.1', 0],
    ['[::1]:7400', '::1', 7400],
    ['[fe80::1%eth0]:65535', 'fe80::1%eth0', 65535],
    ['[::ffff:10.0.0.1]:1', '::ffff:10.0.0.1', 1],
    ['node-a.lan:7400', 'node-a.lan', 7400],
    ['node_b:1', 'node_b', 1],
    ['Host.Example.:1', 'Host.Example.', 1],
  ])('takes %s', (text, host, port) => {
    expect(parseAddress(text)).toEqual({ host, port })
    expect(formatAddress({ host, port })).toBe(text)
  })

  it.each([
    '',
    ':',
    'host',
    'host:',
    ':7400',
    'host:65536',
    'host:-1',
    'host:1x',
    'host: 1',
    'host:123456',
    '::1:7400',
    '[::1]',
    '[::1]7400',
    '[10.0.0.1]:7400',
    '[host]:7400',
    '[::1::]:1',
    '[1:2:3:4:5:6:7]:1',
    '[1:2:3:4:5:6:7:8:9]:1',
    '[1:2:3:4:5:6:7::8]:1x',
    '[12345::]:1',
    '[:::]:1',
    '[::1%]:1',
    '[::1.2.3.4:5]:1',
    '256.0.0.1:1',
    '010.0.0.1:1',
    '127.1:1',
    '2130706433:1',
    '0x7f.1:1',
    'host.0x7f:1',
    '-host:1',
    '--help:1',
    '-s',
    'a.-host:1',
    'host-:1',
    'a..b:1',
    '.:1',
    'ho st:1',
    'höst:1',
    'host\n:1',
    `${'a'.repeat(64)}:1`,
    `${'a.'.repeat(127)}a:1`,
    'user@host:1',
    'tcp://host:1',
  ])('refuses %j', (text) => {
    expect(parseAddress(text)).toBeNull()
  })

  it('never throws, and what it takes formats back to itself', () => {
    const near = fc.string({ unit: fc.constantFrom(...'[]:.%0123456789abf-_x'), maxLength: 30 })
    fc.assert(
      fc.property(fc.oneof(fc.string(), near), (text) => {
        const address = parseAddress(text)
        if (address !== null) {
          const port = text.slice(text.lastIndexOf(':') + 1)
          expect(formatAddress(address)).toBe(text.slice(0, -port.length) + Number(port))
        }
      }),
      { numRuns: 1000 },
    )
  })

  it('agrees with node:net about what an IP is', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (host) => {
        expect(isIPv4(host) || isIPv6(host)).toBe(true)
        expect(isIp(host)).toBe(true)
      }),
      { numRuns: 500 },
    )
    const near = fc.string({ unit: fc.constantFrom(...':.0123456789abf'), maxLength: 24 })
    fc.assert(
      fc.property(near, (host) => {
        expect(isIp(host)).toBe(isIPv4(host) || isIPv6(host))
      }),
      { numRuns: 2000 },
    )
  })
})

describe('isLoopback', () => {
  it.each([
    '127.0.0.1',
    '127.255.0.9',
    '::1',
    '0:0:0:0:0:0:0:1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    'localhost',
    'LocalHost',
    'a.localhost',
  ])('knows %s', (host) => {
    expect(isLoopback(host)).toBe(true)
  })

  it.each([
    '',
    '0.0.0.0',
    '::',
    '128.0.0.1',
    '10.0.0.1',
    '::2',
    '::ffff:10.0.0.1',
    '::127.0.0.1',
    '1::1',
    'localhost.lan',
    'notlocalhost',
    '127.0.0.1.lan',
  ])('does not take %j for it', (host) => {
    expect(isLoopback(host)).toBe(false)
  })
})

describe('for the layers above', () => {
  it('names the option', () => {
    expect(requireAddress('a:1', 'listen')).toEqual({ host: 'a', port: 1 })
    expect(() => requireAddress('a:', 'listen')).toThrow(/^listen must be HOST\[:PORT\]/)
    expect(() => requireAddress('a:', 'listen')).toThrow(TypeError)
  })

  it('adds the default port where none is given', () => {
    expect(requireAddress('a', 'to')).toEqual({ host: 'a', port: 7400 })
    expect(requireAddress('[::1]', 'to')).toEqual({ host: '::1', port: 7400 })
    expect(() => requireAddress('::1', 'to')).toThrow(TypeError)
  })

  it('formats what a server is bound to', () => {
    expect(boundAddress({ address: '::1', family: 'IPv6', port: 3 })).toBe('[::1]:3')
  })

  it('serves only loopback without a key', () => {
    const wide = { host: '0.0.0.0', port: 1 }
    expect(() => requireServable(wide, openKey)).toThrow(FrError)
    expect(() => requireServable(wide, parseKey('k'.repeat(32)))).not.toThrow()
    expect(() => requireServable({ host: '::1', port: 1 }, openKey)).not.toThrow()
  })
})
