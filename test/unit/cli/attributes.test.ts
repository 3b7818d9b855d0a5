/** `fr node --attr`: what a node says of itself. */
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
