/** Sets of files as people write them, and every way in which one is wrong. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { canonical } from '../../../src/base/criteria.js'
import { setOf } from '../../../src/control/copies/sets.js'
import { readSets } from '../../../src/documents/sets.js'

const example = readFileSync('examples/wan/sets/models.yaml', 'utf8')
const digest = `blake3:${'ab'.repeat(32)}`

function document(spec: string, name = 'one'): string {
  return `apiVersion: fastreplica/v1\nkind: FileSet\nmetadata: {name: ${name}}\nspec:\n${spec}\n`
}

function faultsOf(...texts: string[]): string[] {
  try {
    readSets(texts.map((text, i) => ({ path: `${i}.yaml`, text })))
    return []
  } catch (error) {
    expect(error).toMatchObject({ code: 'ERR_FR_DOCUMENT' })
    return (error as Error).message.split('\n')
  }
}

describe('sets', () => {
  it('are read as the example has them, and the document shows the example', () => {
    expect(readFileSync('docs/master.md', 'utf8')).toContain(example)
    const [models, maps] = readSets([{ path: 'models.yaml', text: example }])
    expect(models).toMatchObject({ name: 'models', priority: 5, never: null, from: null })
    expect(models?.files).toEqual([
      { name: 'models/large.bin', digest: null },
      { name: 'models/small.bin', digest: null },
    ])
    expect(maps).toMatchObject({ name: 'maps', priority: 8, nodes: ['ams-1'] })
    const { where, never, from } = maps ?? {}
    expect([where, never, from].map((one) => one && canonical(one))).toEqual([
      'site=fra || site=sin',
      'legacy',
      'site=ams || site=fra',
    ])
  })

  it('mean nodes by criteria and by name, and never those that may not', () => {
    const sets = readSets([{ path: 'models.yaml', text: example }])
    const files = (attributes: Record<string, string>) => [...setOf(sets, attributes).wanted.keys()]
    expect(files({ name: 'ams-1', site: 'ams' })).toContain('maps/world.bin')
    expect(files({ name: 'ams-2', site: 'ams' })).not.toContain('maps/world.bin')
    expect(files({ name: 'sin-2', site: 'sin' })).toContain('maps/world.bin')
    expect(files({ name: 'sin-2', site: 'sin', legacy: '' })).not.toContain('maps/world.bin')
  })

  it('name versions by digest, and sizes', () => {
    const files = `files: [{name: a, digest: '${digest}', size: 1GiB}, {name: b, digest: latest}]`
    const [set] = readSets([{ path: 'x', text: document(`  nodes: [n]\n  ${files}`) }])
    expect(set?.files).toEqual([
      { name: 'a', digest, size: 2 ** 30 },
      { name: 'b', digest: null },
    ])
    expect(set?.where).toBeNull()
  })

  it.each([
    ['no node', '  files: [a]', ["0.yaml:5:3: spec: it means no node: 'where: CRITERIA' or"]],
    ['no files', '  where: site', ['0.yaml:5:3: spec: the field files is missing']],
    [
      'a file twice',
      '  where: x\n  files: [a, b, a]',
      ['0.yaml:6:17: spec.files[2]: "a" is there'],
    ],
    ['a name outside', '  where: x\n  files: [../a]', ['spec.files[0]: no file can be called']],
    ['a hidden name', '  where: x\n  files: [.fastreplica/a]', ['.fastreplica is reserved']],
    [
      'criteria',
      '  where: site=\n  files: [a]',
      ['0.yaml:5:10: spec.where: criteria, character 6: a value is expected, not the end'],
    ],
    [
      'a priority',
      '  where: x\n  priority: 11\n  files: [a]',
      ['"11" is no priority from 0 to 10'],
    ],
    ['a digest', '  where: x\n  files: [{name: a, digest: 5}]', ['"5" is no digest as fr digest']],
    [
      'the size of the latest',
      '  where: x\n  files: [{name: a, size: 5}]',
      ['0.yaml:6:27: spec.files[0].size: the latest version may have any size'],
    ],
    ['a list of lists', '  where: x\n  files: [[a]]', ['spec.files[0]: fields are expected: name']],
  ])('are refused with the place: %s', (_, spec, expected) => {
    const found = faultsOf(document(spec))
    for (const text of expected) expect(found.join('\n')).toContain(text)
    expect(found.length).toBe(expected.length)
  })

  it('have a name each, in all files together', () => {
    const good = document('  where: x\n  files: [a]')
    expect(faultsOf(good, good)).toEqual(['1.yaml:1:1: set one is at 0.yaml:1:1 already'])
    expect(faultsOf(good.replace('metadata: {name: one}\n', ''))).toEqual([
      '0.yaml:1:1: metadata.name is missing',
    ])
  })
})
