/** `fr node --relay-only` and `fr push --relay` on the command line. */
import { expect, it } from 'vitest'
import { parseCommandLine } from '../../../src/cli/program.js'

const parse = (line: string) => parseCommandLine(line.split(' '), '1.2.3')

it('a node that stores nothing takes no option about what it stores', () => {
  const relay = parse('node --listen h --relay-only')
  expect(relay).toMatchObject({ kind: 'run', command: { relayOnly: true } })
  expect(relay).not.toHaveProperty('command.dataDir')
  for (const more of ['--data d', '--adopt', '--read-only', '--mirror', '--max-serves 1'])
    expect(parse(`node --listen h --relay-only ${more}`)).toMatchObject({
      kind: 'usage',
      text: expect.stringContaining('--relay-only stores nothing'),
    })
})

it('a push names its relays', () => {
  const push = parse('push f --to h --relay a --relay b:1')
  expect(push).toMatchObject({ command: { passed: { relays: ['a:7400', 'b:1'] } } })
})
