/** The command line of fr-bench. */
import { describe, expect, test } from 'vitest'
import { BenchUsageError, parseBenchArguments, usageText } from '../../src/cli/bench-arguments.js'

const suites = ['loopback', 'lan']
const parse = (...argv: string[]) => parseBenchArguments(argv, suites)

describe('arguments of fr-bench', () => {
  test('suites in order, each once; nothing that was not given', () => {
    expect(parse('lan', 'loopback', 'lan')).toEqual({
      suites: ['lan', 'loopback'],
      json: false,
      quick: false,
      cold: false,
    })
  })

  test('every option', () => {
    const argv = [
      'lan',
      '--json',
      '--quick',
      '--cold',
      '--out',
      'bench',
      '--rounds',
      '7',
      '--queue',
      'fair,fifo',
    ]
    argv.push('--strategy', 'classic', '--scenario', 'a,b', '--congestion=bbr', '--peers', 'rsync')
    argv.push('--from', 'one.json,two.json')
    expect(parse(...argv)).toEqual({
      suites: ['lan'],
      json: true,
      quick: true,
      cold: true,
      out: 'bench',
      rounds: 7,
      queues: ['fair', 'fifo'],
      strategies: ['classic'],
      scenarios: ['a', 'b'],
      congestion: 'bbr',
      peers: ['rsync'],
      from: ['one.json', 'two.json'],
    })
  })

  test('all peers', () => {
    expect(parse('lan', '--peers', 'all')).toMatchObject({
      peers: ['mbuffer', 'rsync', 'nginx', 'uftp', 'aria2'],
    })
  })

  test('help goes before everything else, and lists the suites', () => {
    expect(parse('nonsense', '--help')).toBe('help')
    expect(usageText([{ name: 'lan', about: 'over a network' }])).toMatch(
      /^ {2}lan {2}over a network$/m,
    )
  })

  test.each([
    [[], /which suite\? loopback, lan/],
    [['lam'], /no suite 'lam'; there are loopback, lan/],
    [['lan', '--rounds', '0'], /--rounds: '0'/],
    [['lan', '--rounds', '101'], /--rounds: '101'/],
    [['lan', '--rounds', '1e1'], /--rounds: '1e1'/],
    [['lan', '--queue', 'red'], /--queue: 'red' is not one of fifo, fair/],
    [['lan', '--strategy', ','], /--strategy is empty/],
    [['lan', '--peers', 'scp'], /--peers: 'scp'/],
    [['lan', '--out', ''], /--out is empty/],
    [['lan', '--runs', '3'], /--runs/],
    [['lan', '--json=yes'], /--json/],
  ])('%j is refused by name', (argv, text) => {
    expect(() => parse(...argv)).toThrow(BenchUsageError)
    expect(() => parse(...argv)).toThrow(text)
  })
})
