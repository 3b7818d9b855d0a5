/** Addresses and paths of FTP, as they are written and refused. */
import { describe, expect, it } from 'vitest'
import {
  countedAs,
  eprtArgument,
  pasvText,
  plainIp,
  portArgument,
  portRange,
} from '../../../../src/doors/ftp/addresses.js'
import { above, lineText, nameAt, quoted } from '../../../../src/doors/ftp/paths.js'
import fc from '../../../support/property.js'

describe('data addresses', () => {
  it.each([
    ['127,0,0,1,200,13', { host: '127.0.0.1', port: 51_213 }],
    ['127,0,0,1,200', null],
    ['127,0,0,1,256,1', null],
    ['127,0,0,1,1,1,', null],
    ['a,0,0,1,1,1', null],
  ])('PORT %s', (text, endpoint) => expect(portArgument(text)).toEqual(endpoint))

  it.each([
    ['|1|132.235.1.2|6275|', { host: '132.235.1.2', port: 6_275 }],
    ['|2|1080::8:800:200C:417A|5282|', { host: '1080::8:800:200C:417A', port: 5_282 }],
    ['!1!1.2.3.4!80!', { host: '1.2.3.4', port: 80 }],
    ['|3|x|80|', 'family'],
    ['|1|::1|80|', null],
    ['|2|1.2.3.4|80|', null],
    ['|1|1.2.3.4|65536|', null],
    ['|1|1.2.3.4|80', null],
    ['|1|1.2.3.4|80|x|', null],
    ['', null],
  ])('EPRT %s', (text, endpoint) => expect(eprtArgument(text)).toEqual(endpoint))

  it('are what PASV says', () => {
    const endpoint = fc.record({
      host: fc.ipV4(),
      port: fc.integer({ min: 0, max: 65_535 }),
    })
    fc.assert(
      fc.property(endpoint, (one) => {
        expect(portArgument(pasvText(one) ?? '')).toEqual(one)
      }),
    )
    expect(pasvText({ host: '::1', port: 80 })).toBe(null)
  })

  it('are counted by address, or network of 64 bits', () => {
    expect(plainIp('::ffff:10.0.0.1')).toBe('10.0.0.1')
    expect(plainIp('fe80::1%eth0')).toBe('fe80::1')
    expect(countedAs('10.0.0.1')).toBe('10.0.0.1')
    expect(countedAs('2001:db8:0:1::7')).toBe('2001:db8:0:1')
    expect(countedAs('2001:db8::1:0:0:0:7')).toBe('2001:db8:0:1')
    expect(countedAs('::1')).toBe('0:0:0:0')
  })

  it('have ports of a range', () => {
    expect(portRange('50000-50100')).toEqual({ from: 50_000, to: 50_100 })
    for (const text of ['', '5', '1023-2000', '2000-1999', '2000-65536', 'a-b', '2000-'])
      expect(portRange(text)).toBe(null)
  })
})

describe('paths', () => {
  it.each([
    ['', 'a', 'a'],
    ['a/b', 'c//./d/', 'a/b/c/d'],
    ['a/b', '/c', 'c'],
    ['a', '', 'a'],
    ['a', '/', ''],
    ['a', '..', null],
    ['a', 'b/../c', null],
    ['', '.fastreplica/x', null],
    ['', 'x'.repeat(256), null],
  ])('from %j %j is %j', (directory, path, name) => expect(nameAt(directory, path)).toBe(name))

  it('are told in lines', () => {
    expect(above('a/b/c')).toBe('a/b')
    expect(above('a')).toBe('')
    expect(above('')).toBe('')
    expect(quoted('a"b')).toBe('"/a""b"')
    expect(lineText('a\r\nb\0é')).toBe('a b \xc3\xa9')
  })
})
