/** `fr push` of directories and of descriptors: what its options ask for. */
import { describe, expect, it } from 'vitest'
import { parseCommandLine } from '../../../src/cli/program.js'

const parse = (line: string) => parseCommandLine(line.split(' '), '1.2.3')

describe('fr push of directories', () => {
  it('takes several paths, rules in their order, and facts', () => {
    const line = 'push a b/ --to h:1 --as c --exclude *.o --include src/ --exclude .git --delete'
    expect(parse(`${line} --owner --xattrs --acls`)).toMatchObject({
      kind: 'run',
      command: {
        paths: ['a', 'b/'],
        tree: {
          ...{ include: ['src/'], exclude: ['*.o', '.git'], delete: true },
          ...{ owner: true, xattrs: true, acls: true },
        },
      },
    })
  })

  it.each([
    ['push a b --to h:1', 'several paths need --as NAME'],
    ['push a - --to h:1 --as b', 'standard input is pushed by itself'],
    ['push a --to h:1 --exclude=', 'a rule is one line, not empty'],
  ])('refuses %s', (line, text) => {
    expect(parse(line)).toMatchObject({ kind: 'usage', text: expect.stringContaining(text) })
  })
})

describe('fr push --descriptors', () => {
  it('takes the paths as they are, and how many are enough', () => {
    expect(parse('push --descriptors d0 d1 --enough 2 --to h:1')).toMatchObject({
      kind: 'run',
      command: { paths: ['d0', 'd1'], descriptors: { enough: 2 } },
    })
    expect(parse('push --descriptors d0 --to h:1')).toMatchObject({
      command: { paths: ['d0'], descriptors: {} },
    })
  })

  it.each([
    ['push a --to h:1 --enough 1', '--enough M needs --descriptors'],
    ['push a b --to h:1 --descriptors --enough 3', '--enough 3 is more than there are'],
    ['push - --to h:1 --as b --descriptors', 'standard input is no descriptor'],
  ])('refuses %s', (line, text) => {
    expect(parse(line)).toMatchObject({ kind: 'usage', text: expect.stringContaining(text) })
  })
})
