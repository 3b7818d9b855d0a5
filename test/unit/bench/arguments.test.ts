/** The command line of fr-bench. */
import { describe, expect, test } from 'vitest'
import { parseBenchArguments } from '../../../bench/arguments.mjs'

const suites = [
  { name: 'loopback', about: 'on this machine' },
  { name: 'lan', about: 'over a network' },
]
const parsed = (...argv: string[]) => parseBenchArguments(argv, suites)
const parse = (...argv: string[]) => {
  const found = parsed(...argv)
  if (found.kind !== 'run') throw new Error(found.text)
  return found.request
}

describe('arguments of fr-bench', () => {
  test('suites in order, each once; nothing that was not given', () => {
    expect(parse('lan', 'loopback', 'lan')).toEqual({
      suites: ['lan', 'loopback'],
      json: false,
      quick: false,
      served: false,
    })
  })

  test('every option', () => {
    const argv = [
      'lan',
      '--json',
      '--quick',
      '--served',
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
      served: true,
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
    const help = parsed('nonsense', '--help')
    expect(help).toMatchObject({ kind: 'text' })
    expect(help).toHaveProperty('text', expect.stringMatching(/^ {2}lan {7}over a network$/m))
  })

  test.each([
    [[], /missing required argument 'suite'/],
    [['lam'], /no suite 'lam'; known are loopback, lan/],
    [['lan', '--rounds', '0'], /--rounds <n>' argument '0'.*from 1 to 100/],
    [['lan', '--rounds', '101'], /--rounds <n>' argument '101'/],
    [['lan', '--rounds', '1e1'], /--rounds <n>' argument '1e1'/],
    [['lan', '--queue', 'red'], /--queue.*'red' is not one of fifo, fair/],
    [['lan', '--strategy', ','], /--strategy.*it is empty/],
    [['lan', '--peers', 'scp'], /--peers.*'scp' is not one of/],
    [['lan', '--out', ''], /--out.*it is empty/],
    [['lan', '--runs', '3'], /unknown option '--runs'/],
    [['lan', '--json=yes'], /--json/],
  ])('%j is a usage error that names the argument', (argv, text) => {
    expect(parsed(...argv)).toMatchObject({ kind: 'usage', text: expect.stringMatching(text) })
  })
})
