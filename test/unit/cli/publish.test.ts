/** `fr publish`, `fr unpublish`, and reading what was published, on the command line. */
import { expect, it } from 'vitest'
import { parseCommandLine } from '../../../src/cli/program.js'

const parse = (...words: string[]) => parseCommandLine(words, '1.2.3')
const to = ['--where', 'a && b', '--via', 'h:1']

it('publishes a file, for whom and via whom, and perhaps for a time', () => {
  const { via, where } = { via: 'h:1', where: 'a && b' }
  expect(parse('publish', 'f', ...to)).toEqual({
    kind: 'run',
    command: { command: 'publish', path: 'f', where, via, quiet: false, json: false },
  })
  const all = ['--as', 'n', '--ttl', '2h', '--seal', '--key-file', 'k', '--quiet', '--json']
  expect(parse('publish', '-', ...to, ...all)).toMatchObject({
    command: {
      path: '-',
      as: 'n',
      ttlSeconds: 7_200,
      seal: true,
      keyFile: 'k',
      quiet: true,
      json: true,
    },
  })
  expect(parse('unpublish', 'n', '--via', 'h:1')).toEqual({
    kind: 'run',
    command: { command: 'unpublish', name: 'n', via: 'h:1', json: false },
  })
})

it.each([
  [['publish', 'f', '--via', 'h:1'], '--where'],
  [['publish', 'f', '--where', 'a'], '--via'],
  [['publish', 'f', ...to, '--ttl', '0.5s'], '--ttl'],
  [['publish', 'f', ...to, '--ttl', '9999d'], '--ttl'],
  [['unpublish', 'n'], '--via'],
])('refuses %j', (words, named) => {
  const parsed = parse(...words)
  expect(parsed.kind).toBe('usage')
  expect(parsed).toHaveProperty('text', expect.stringContaining(named))
})

it('a get says what is true of the client', () => {
  const get = ['get', 'n', '--from', 'h:1', '--attr', 'region=eu', '--attr', 'gpu']
  expect(parse(...get)).toMatchObject({ command: { attributes: { region: 'eu', gpu: '' } } })
  expect(parse('get', '--set', 's', '--from', 'h:1', '--attr', 'a').kind).toBe('usage')
})
