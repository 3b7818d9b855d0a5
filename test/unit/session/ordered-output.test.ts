/** Verified bytes go to a stream in order, all of them or with an error, whenever they come. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { FrError } from '../../../src/base/errors.js'
import { OrderedOutput } from '../../../src/session/fetch/ordered-output.js'

const piece = 100
const pieces = 40
const content = Buffer.from(Array.from({ length: piece * pieces }, (_, i) => i % 251))

describe('OrderedOutput', () => {
  let dir = ''
  let failures: FrError[] = []
  const path = (): string => join(dir, 'file')

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'ordered-'))
    failures = []
    writeFileSync(path(), content)
  })
  afterEach(() => rmSync(dir, { recursive: true }))

  function outputOf(write: (bytes: Buffer) => Error | null): OrderedOutput {
    const stream = new Writable({ write: (part: Buffer, _, done) => done(write(part)) })
    const failed = (error: FrError): void => void failures.push(error)
    const output = new OrderedOutput(stream, { delivered: () => {}, failed })
    output.begin(path(), 0, content.length - 1)
    return output
  }

  it('gives all of it, however many turns lie between two pieces', async () => {
    for (let turns = 0; turns < 12; turns++) {
      const parts: Buffer[] = []
      const output = outputOf((part) => {
        parts.push(part)
        return null
      })
      // Pairs come in the wrong order.
      for (let at = 0; at < pieces; at++) {
        output.verified((at ^ 1) * piece, piece)
        for (let i = 0; i < turns; i++) await turn()
      }
      await output.finish()
      expect(Buffer.concat(parts).equals(content)).toBe(true)
    }
    expect(failures).toEqual([])
  })

  it('says when the last bytes cannot be written', async () => {
    let taken = 0
    const output = outputOf((part) => {
      taken += part.length
      return taken === content.length ? new Error('gone') : null
    })
    output.verified(0, content.length)
    await expect(output.finish()).rejects.toMatchObject({ code: 'ERR_FR_IO' })
    expect(failures).toHaveLength(1)
  })

  it('says that the file is shorter than what was verified', async () => {
    writeFileSync(path(), content.subarray(0, piece))
    const output = outputOf(() => null)
    output.verified(0, content.length)
    await expect(output.finish()).rejects.toMatchObject({ code: 'ERR_FR_IO' })
    await output.end()
  })
})
