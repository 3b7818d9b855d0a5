/** `fr node --attr`, `fr attr`: what a node says of itself. */
import { expect, it } from 'vitest'
import { parseCommandLine } from '../../../src/cli/program.js'

const parse = (line: string) => parseCommandLine(line.split(' '), '1.2.3')
const node = 'node --listen h:0 --data d'

it('a node says what it is in keys and values', () => {
  const attributes = { region: 'eu', gpu: '', q: 'a=b' }
  expect(parse(`${node} --attr region=eu --attr gpu --attr q=a=b`)).toMatchObject({
    kind: 'run',
    command: { attributes },
  })
  expect(parse(node)).not.toHaveProperty('command.attributes')
})

it.each([
  ['--attr name=x', 'name is given to each node'],
  ['--attr 9=x', 'a letter first'],
  ['--attr a=1 --attr a=2', 'a is given twice'],
])('%s is refused', (more, text) => {
  expect(parse(`${node} ${more}`)).toMatchObject({
    kind: 'usage',
    text: expect.stringContaining(text),
  })
})

it('a node that runs is told what it is from now on, and is no more', () => {
  const words = ['attr', 'tier=edge', 'gpu', '--unset', 'a', 'b', '--via', 'h:1']
  expect(parse(words.join(' '))).toEqual({
    kind: 'run',
    command: {
      ...{ command: 'attr', via: 'h:1', json: false },
      ...{ set: { tier: 'edge', gpu: '' }, unset: ['a', 'b'] },
    },
  })
})

it.each([
  ['attr --via h', 'KEY=VALUE or --unset is required'],
  ['attr a=1 a=2 --via h', 'a is given twice'],
  ['attr name=x --via h', 'name is given to each node'],
  ['attr a=1', '--via'],
])('%s is refused', (line, text) => {
  expect(parse(line)).toMatchObject({ kind: 'usage', text: expect.stringContaining(text) })
})
