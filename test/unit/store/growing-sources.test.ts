/** Sources that are still written: a file that is followed, a stream that is spooled. */
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { FrError } from '../../../src/base/errors.js'
import { FollowedFile } from '../../../src/store/growing/followed.js'
import type { GrowingSource } from '../../../src/store/growing/source.js'
import { SpooledStream } from '../../../src/store/growing/spooled.js'

const directory = mkdtempSync(join(tmpdir(), 'fr-growing-'))
afterAll(() => rmSync(directory, { recursive: true }))

let count = 0
let path: string
let source: GrowingSource | undefined
beforeEach(() => {
  path = join(directory, String(count++))
})
afterEach(async () => {
  await source?.close()
  source = undefined
})

interface Heard {
  bytes: number
  isFinal: boolean
  doubts: number
  failure: FrError | undefined
}

function started(begun: GrowingSource): Heard {
  source = begun
  const heard: Heard = { bytes: -1, isFinal: false, doubts: 0, failure: undefined }
  begun.start({
    grown: (bytes, isFinal) => {
      expect(heard.isFinal || heard.failure !== undefined).toBe(false)
      expect(bytes).toBeGreaterThanOrEqual(heard.bytes)
      Object.assign(heard, { bytes, isFinal })
    },
    doubted: () => heard.doubts++,
    failed: (failure) => Object.assign(heard, { failure }),
  })
  return heard
}

const until = (holds: () => boolean) => vi.waitFor(() => expect(holds()).toBe(true), 10_000)

describe('a file that is followed', () => {
  async function followed(content = '', finalAfterMs?: number): Promise<Heard> {
    writeFileSync(path, content)
    const heard = started(await FollowedFile.open(path, { finalAfterMs }))
    await until(() => heard.bytes === content.length)
    return heard
  }

  it('tells how much there is, and the end when it is told to', async () => {
    const heard = await followed('abc')
    appendFileSync(path, 'defg')
    await until(() => heard.bytes === 7)
    expect(readFileSync((source as GrowingSource).path, 'utf8')).toBe('abcdefg')
    appendFileSync(path, 'h')
    source?.finish()
    await until(() => heard.isFinal)
    expect(heard).toEqual({ bytes: 8, isFinal: true, doubts: heard.doubts, failure: undefined })
  })

  it('begins with nothing, and ends so', async () => {
    const heard = await followed()
    source?.finish()
    await until(() => heard.isFinal)
    expect(heard.bytes).toBe(0)
  })

  it('is final once nothing has come for as long as is said', async () => {
    const heard = await followed('abc', 200)
    appendFileSync(path, 'd')
    await until(() => heard.isFinal)
    expect(heard.bytes).toBe(4)
  })

  it.each([
    ['truncated', () => truncateSync(path, 1), 'was truncated to 1 bytes, after 3 bytes'],
    ['removed', () => rmSync(path), 'was removed or renamed, after 3 bytes'],
    ['rotated', () => renameSync(path, `${path}.1`), 'was removed or renamed, after 3 bytes'],
    [
      'replaced',
      () => {
        writeFileSync(`${path}.new`, 'abcdef')
        renameSync(`${path}.new`, path)
      },
      'was replaced by another file, after 3 bytes',
    ],
  ])('fails by name when it is %s, and tells no end', async (_how, change, words) => {
    const heard = await followed('abc')
    change()
    await until(() => heard.failure !== undefined)
    expect(heard.failure?.code).toBe('ERR_FR_SOURCE_CHANGED')
    expect(heard.failure?.message).toContain(words)
    expect(heard).toMatchObject({ bytes: 3, isFinal: false })
  })

  it('is in doubt when it is written to and does not grow', async () => {
    const heard = await followed('abc')
    utimesSync(path, 1_000, 1_000)
    await until(() => heard.doubts > 0)
    expect(heard.failure).toBeUndefined()
  })

  it.each([
    ['is missing', () => {}],
    ['is a directory', () => directory],
  ])('is refused by name where it %s', async (_what, made) => {
    const opening = FollowedFile.open(made() ?? path)
    await expect(opening).rejects.toMatchObject({ code: 'ERR_FR_SOURCE' })
  })
})

describe('a stream that is spooled while it comes', () => {
  async function spooled(stream: PassThrough): Promise<Heard> {
    return started(await SpooledStream.open(stream))
  }

  it('has every byte in its file before it tells of it, and ends with the stream', async () => {
    const stream = new PassThrough()
    const heard = await spooled(stream)
    stream.write('abc')
    await until(() => heard.bytes === 3)
    expect(readFileSync((source as GrowingSource).path, 'utf8')).toBe('abc')
    stream.end('de')
    await until(() => heard.isFinal)
    expect(readFileSync((source as GrowingSource).path, 'utf8')).toBe('abcde')
    expect(heard.bytes).toBe(5)
  })

  it('tells no end of a stream that fails', async () => {
    const stream = new PassThrough()
    const heard = await spooled(stream)
    stream.write('abc')
    await until(() => heard.bytes === 3)
    stream.destroy(new Error('the producer broke'))
    await until(() => heard.failure !== undefined)
    expect(heard.failure).toMatchObject({ code: 'ERR_FR_SOURCE' })
    expect(heard.failure?.message).toContain('the producer broke')
    expect(heard.isFinal).toBe(false)
  })

  it('ends where it is told to, and is silent once it is closed', async () => {
    const stream = new PassThrough()
    const heard = await spooled(stream)
    stream.write('abc')
    await until(() => heard.bytes === 3)
    source?.finish()
    await until(() => heard.isFinal)
    expect(heard.bytes).toBe(3)
    expect(stream.destroyed).toBe(true)
    const other = new PassThrough()
    const unheard = await spooled(other)
    await source?.close()
    expect(unheard).toMatchObject({ bytes: 0, isFinal: false, failure: undefined })
  })
})
