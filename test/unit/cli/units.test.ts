import { describe, expect, it } from 'vitest'
import {
  formatBytes,
  formatDuration,
  formatPercent,
  formatRate,
  parseCount,
  parseDuration,
  parseRate,
  parseSize,
  UsageError,
} from '../../../src/cli/render/units.js'

describe('parseSize', () => {
  it.each([
    ['0', 0],
    ['1', 1],
    ['4096', 4096],
    ['64KiB', 65_536],
    ['1GiB', 1_073_741_824],
    ['10GB', 10_000_000_000],
    ['1.5MiB', 1_572_864],
    ['2 kB', 2000],
    ['2KB', 2000],
    ['3B', 3],
    ['4TiB', 4 * 2 ** 40],
  ])('%s', (text, bytes) => expect(parseSize(text)).toBe(bytes))

  it.each([
    '',
    'GiB',
    '-1',
    '1gib',
    '1 GiB ',
    '1Mbit',
    '0x10',
    '1e3',
    '1,5GiB',
    'constructor',
    '1constructor',
    'NaN',
  ])('refuses %j', (text) => {
    expect(() => parseSize(text)).toThrow(UsageError)
    expect(() => parseSize(text)).toThrow('is not a size; write it like 64KiB, 1GiB or 10GB')
  })

  it('refuses what no offset can hold', () => {
    expect(() => parseSize('9000TiB')).toThrow('is larger than any file')
    expect(() => parseSize('9'.repeat(20))).toThrow('is larger than any file')
  })
})

describe('parseRate', () => {
  it.each([
    ['200Mbit', 25_000_000],
    ['10Gbit', 1_250_000_000],
    ['10Gbit/s', 1_250_000_000],
    ['1kbit', 125],
    ['25MB/s', 25_000_000],
    ['1GiB', 1_073_741_824],
    ['1.5Mbit', 187_500],
  ])('%s', (text, rate) => expect(parseRate(text)).toBe(rate))

  it.each(['200', 'Mbit', '200mbit', '200Mb', '-1Mbit', 'fast', '1Mbit/s/s'])(
    'refuses %j',
    (text) => expect(() => parseRate(text)).toThrow('is not a rate'),
  )

  it('refuses standstill and absurdity', () => {
    expect(() => parseRate('0Mbit')).toThrow("'0Mbit' is not a rate; it must be above zero")
    expect(() => parseRate('101Tbit')).toThrow('is faster than any link')
  })
})

describe('parseDuration', () => {
  it.each([
    ['7d', 604_800],
    ['12h', 43_200],
    ['30m', 1800],
    ['90s', 90],
    ['500ms', 0.5],
    ['1.5h', 5400],
    ['0s', 0],
  ])('%s', (text, seconds) => expect(parseDuration(text)).toBe(seconds))

  it.each(['7', 'd', '7days', '-1d', '1d12h', '7D'])('refuses %j', (text) =>
    expect(() => parseDuration(text)).toThrow('is not a duration'),
  )

  it('keeps bounds', () => {
    expect(parseDuration('10m', 1, 600)).toBe(600)
    expect(() => parseDuration('0s', 0.001)).toThrow("'0s' is too short; at least 1ms")
    expect(() => parseDuration('0', 0.001)).toThrow("'0' is too short; at least 1ms")
    expect(parseDuration('0')).toBe(0)
    expect(() => parseDuration('1s', 2)).toThrow("'1s' is too short; at least 2.0s")
    expect(() => parseDuration('11m', 0, 600)).toThrow("'11m' is too long; at most 10m00s")
  })

  it('refuses ages', () =>
    expect(() => parseDuration('40000d')).toThrow('too long; at most 36500d00h'))
})

describe('parseCount', () => {
  it('takes whole numbers inside', () => {
    expect(parseCount('1', 1, 64)).toBe(1)
    expect(parseCount('64', 1, 64)).toBe(64)
  })
  it.each(['0', '65', '1.5', '', 'x', '-1', '1e1', '99999999999999999999'])('refuses %j', (text) =>
    expect(() => parseCount(text, 1, 64)).toThrow('is not a whole number from 1 to 64'),
  )
})

describe('formatting', () => {
  it.each([
    [0, '0 B'],
    [1, '1 B'],
    [1000, '1000 B'],
    [1023, '1023 B'],
    [1024, '1.00 KiB'],
    [65_536, '64.0 KiB'],
    [134_217_728, '128 MiB'],
    [1_048_000, '1023 KiB'],
    [1_073_741_823, '1.00 GiB'],
    [1_073_741_824, '1.00 GiB'],
    [1.5 * 2 ** 40, '1.50 TiB'],
  ])('%d bytes', (bytes, text) => expect(formatBytes(bytes)).toBe(text))

  it.each([
    [0, '0 B/s'],
    [999, '999 B/s'],
    [1000, '1.00 kB/s'],
    [25_000_000, '25.0 MB/s'],
    [412_345_678, '412 MB/s'],
    [999_999_999, '1.00 GB/s'],
    [12_500_000_000, '12.5 GB/s'],
  ])('%d bytes per second', (rate, text) => expect(formatRate(rate)).toBe(text))

  it.each([
    [0, '0.00s'],
    [0.42, '0.42s'],
    [5.61, '5.6s'],
    [9.999, '10s'],
    [59.4, '59s'],
    [59.6, '1m00s'],
    [65, '1m05s'],
    [3599.6, '1h00m'],
    [7380, '2h03m'],
    [273_600, '3d04h'],
  ])('%d seconds', (seconds, text) => expect(formatDuration(seconds)).toBe(text))

  it('never says 100% before the end', () => {
    expect(formatPercent(0.9999)).toBe('99%')
    expect(formatPercent(1)).toBe('100%')
    expect(formatPercent(null)).toBe('-')
  })
})
