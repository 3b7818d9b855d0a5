/** Directories of documents: which files of them are read, and how much. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { setsAt, setsIn } from '../../../src/api/documents.js'
import { limits } from '../../../src/base/limits.js'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'fr-documents-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const set = (name: string) => `apiVersion: fastreplica/v1
kind: FileSet
metadata: {name: ${name}}
spec: {where: site, files: [f]}
`
const write = (name: string, text: string | Buffer) => writeFileSync(join(directory, name), text)
const wrong = (text: string) => ({
  ...{ code: 'ERR_FR_DOCUMENT', message: expect.stringContaining(text) },
})

it('reads documents by the ends of their names, in order, and nothing else', async () => {
  write('b.yml', set('b'))
  write('a.yaml', set('a'))
  write(
    'c.json',
    JSON.stringify({
      ...{ apiVersion: 'fastreplica/v1', kind: 'FileSet' },
      metadata: { name: 'c' },
      spec: { where: 'x', files: [] },
    }),
  )
  write('README.md', 'no: [document')
  mkdirSync(join(directory, 'sub'))
  write('sub/d.yaml', set('d'))
  expect((await setsIn(directory)).map(({ name }) => name)).toEqual(['a', 'b', 'c'])
  expect((await setsAt(join(directory, 'b.yml'))).map(({ name }) => name)).toEqual(['b'])
})

it('names what cannot be read', async () => {
  await expect(setsAt(join(directory, 'none'))).rejects.toMatchObject(wrong('none: '))
  write('a.yaml', Buffer.from([0xff, 0xfe]))
  await expect(setsIn(directory)).rejects.toMatchObject(wrong('a.yaml: it is not UTF-8'))
  write('a.yaml', `#${'x'.repeat(limits.documentBytes)}`)
  await expect(setsIn(directory)).rejects.toMatchObject(wrong('it is no file of at most'))
  const comment = `#${'x'.repeat(limits.documentBytes - 1)}`
  for (let i = 0; i < 9; i++) write(`${i}.yaml`, comment)
  rmSync(join(directory, 'a.yaml'))
  await expect(setsIn(directory)).rejects.toMatchObject(wrong('its documents have more than'))
})
