/**
 * What a node does with coded content that it has no use for, or that is not what it was said to
 * be: nothing gets the name, and the answer tells whose fault it is.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { FrError } from '../../../src/base/errors.js'
import { MIB } from '../../../src/base/limits.js'
import type { Coded } from '../../../src/control/messages/types.js'
import { encodeCodedHeader } from '../../../src/protocol/coded-header.js'
import { CodedPublication, type DecodedFile } from '../../../src/session/receiver/coded.js'
import type { NodeHost } from '../../../src/session/receiver/node-host.js'
import type { ReceptionSpec } from '../../../src/session/receiver/spec.js'
import type { Partial as PartialFile } from '../../../src/store/partial.js'
import { recordOf } from '../store/records.js'

const size = 2 * MIB
const wanted = `blake3:${'ab'.repeat(32)}`
const base = { fileDigest: `blake3:${'cd'.repeat(32)}`, size }
const patch: Coded = {
  ...{ coding: 'patch', contentId: '1'.repeat(32), size, dataBytes: size, fileDigest: wanted },
  base,
}
const header = { coding: 'patch', size, lengths: new Uint8Array(8), runs: [] } as const

let root: string
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'fr-coded-'))
})
afterAll(() => rmSync(root, { recursive: true }))

interface Case {
  readonly coded?: Coded
  readonly kind?: 'native' | 'portable'
  /** Digests of the files that the node holds. */
  readonly holds?: readonly string[]
  /** When the base is found to be another file. */
  readonly edited?: 'before' | 'meanwhile'
  readonly decode?: () => Promise<void>
  /** Of what was decoded. */
  readonly found?: string
}

function publicationOf(given: Case) {
  const { coded = patch, kind = 'native', holds = [base.fileDigest], edited } = given
  const { decode = async () => {}, found = 'blake3:other' } = given
  const done: string[] = []
  const bytes = encodeCodedHeader({ ...header, coding: coded.coding })
  writeFileSync(join(root, 'partial'), bytes)
  const note = (what: string) => async () => void done.push(what)
  const host = {
    engine: { kind, hashSource: () => ({}) },
    pool: {
      decode: async () => {
        done.push('decode')
        await decode()
      },
    },
    storage: { closeFile: () => done.push('close'), identityOf: async () => ({}) },
    work: {
      async *hash() {
        yield { offset: 0, length: size, digests: new Uint8Array(32) }
      },
    },
    store: {
      catalogue: {
        ofContent: (_: unknown, fileDigest: string) =>
          holds.includes(fileDigest) ? { ...recordOf('model'), fileDigest } : undefined,
      },
      holdings: {
        openWhole: async () => (edited === 'before' ? undefined : 7),
        isDescribed: async () => edited !== 'meanwhile',
      },
      leftovers: { drop: note('drop') },
      pathOfPartial: () => join(root, 'partial'),
    },
  } as unknown as NodeHost
  const publication = {
    name: Buffer.from('model'),
    checkName: note('check'),
    publish: note('publish'),
    sum: () => found,
  }
  const decoded = { partial: { id: 'd', file: 3, release: note('release') }, publication }
  const entry = { size: bytes.length, author: '2'.repeat(64), coded }
  const made = new CodedPublication(
    host,
    { id: 'p', file: 2 } as unknown as PartialFile,
    decoded as unknown as DecodedFile,
    { sum: () => '' },
    { entry, algorithm: 'blake3', transfer: '3'.repeat(32) } as unknown as ReceptionSpec,
  )
  return { made, done }
}

const other = { ...patch, base: { ...base, fileDigest: `blake3:${'ef'.repeat(32)}` } }
const loop = { ...patch, base: { fileDigest: wanted, size } }

it.each<[string, Case]>([
  ['an engine that does not decode', { kind: 'portable' }],
  ['the file itself', { holds: [wanted, base.fileDigest] }],
  ['no base', { holds: [] }],
  ['a base that somebody has edited', { edited: 'before' }],
  ['a patch of another base', { coded: other }],
  // Nobody decodes one patch to have the base of the next one.
  ['a patch that is its own base', { coded: loop }],
  ['a patch that is its own base, which it has', { coded: loop, holds: [wanted] }],
])('a node with %s wants the content as it is', async (_, given) => {
  const { made, done } = publicationOf(given)
  await expect(made.checkName()).rejects.toMatchObject({ code: 'ERR_FR_CODING' })
  expect(done).not.toContain('decode')
})

const refusal = (code: 'ERR_FR_PROTOCOL' | 'ERR_FR_NO_SPACE') => async () => {
  throw new FrError(code, 'a frame says more than it has room for')
}

it.each<[string, Case, string]>([
  ['is another file', {}, 'ERR_FR_DIGEST'],
  ['is more than it may be', { decode: refusal('ERR_FR_PROTOCOL') }, 'ERR_FR_DIGEST'],
  ['has no room', { decode: refusal('ERR_FR_NO_SPACE') }, 'ERR_FR_NO_SPACE'],
  ['comes of a base that was edited', { edited: 'meanwhile' }, 'ERR_FR_CODING'],
  [
    'comes of a base that was edited, and is none',
    { edited: 'meanwhile', decode: refusal('ERR_FR_PROTOCOL') },
    'ERR_FR_CODING',
  ],
])('what %s gets no name', async (_, given, code) => {
  const { made, done } = publicationOf(given)
  await made.checkName()
  await expect(made.publish()).rejects.toMatchObject({ code })
  await made.release(() => {})
  expect(done.filter((what) => what !== 'decode')).toEqual(['check', 'close', 'release', 'drop'])
})

it('what is the file that was announced gets the name', async () => {
  const { made, done } = publicationOf({ found: wanted })
  await made.checkName()
  await made.publish()
  expect(done.at(-1)).toBe('publish')
})
