/** Lists of tokens: who is found by one, what a line may be, and lists that change. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { LogLine } from '../../../src/api/types.js'
import { doorLimits } from '../../../src/base/door-limits.js'
import { sha256Of } from '../../../src/doors/tokens.js'
import { type TokensFile, tableOf, tokensFile } from '../../../src/doors/tokens-file.js'

const alice = sha256Of('alice')
const bob = sha256Of('bob')

describe('a list of tokens', () => {
  it('gives each token its rights, and whoever has none those of *', () => {
    const { byHash, nobody } = tableOf(`
# who may what
${alice} alice                       # everything
${bob} bob get pub/**, push in/*
* get pub/**
`)
    expect(byHash.get(alice)?.rights('admin')).toBe(true)
    const who = byHash.get(bob)
    expect([who?.name, who?.rights('get', 'pub/a'), who?.rights('push', 'in/x')]).toEqual([
      ...['bob', true, true],
    ])
    expect([who?.rights('get', 'a'), who?.rights('rm', 'pub/a'), who?.rights('status')]).toEqual([
      ...[false, false, false],
    ])
    expect([nobody.name, nobody.rights('get', 'pub/a'), nobody.rights('get', null)]).toEqual([
      ...[null, true, false],
    ])
    expect(tableOf('').nobody.rights('status')).toBe(false)
  })

  it.each([
    ['abc alice', 'line 1: the SHA-256'],
    [alice.toUpperCase(), 'line 1: the SHA-256'],
    [alice, 'line 1: a name'],
    [`${alice} -x`, 'line 1: a name'],
    [`${alice} a fly`, 'line 1: '],
    [`${alice} a\n${alice} b`, 'line 2: this token'],
    [`${alice} a\n\n${bob} a`, 'line 3: this name'],
    ['*', 'line 1: behind *'],
    ['* none\n* none', 'line 2: whoever'],
  ])('refuses a wrong line: %j', (text, fault) => {
    expect(() => tableOf(text)).toThrow(fault)
  })

  it('has a bound', () => {
    const lines = Array.from({ length: doorLimits.tokens + 1 }, (_, n) => {
      return `${n.toString(16).padStart(64, '0')} t${n}`
    })
    expect(tableOf(lines.slice(1).join('\n')).byHash.size).toBe(doorLimits.tokens)
    expect(() => tableOf(lines.join('\n'))).toThrow(`more than ${doorLimits.tokens} tokens`)
  })
})

describe('a file of tokens', () => {
  let directory: string
  let path: string
  let file: TokensFile | undefined
  const log: LogLine[] = []
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'fr-tokens-'))
    path = join(directory, 'tokens')
    log.length = 0
  })
  afterEach(() => {
    file?.close()
    rmSync(directory, { recursive: true })
  })
  const open = async () => {
    file = await tokensFile(path, (line) => log.push(line))
    return file
  }

  it('is read again when that is asked, and stays as it was where it is wrong', async () => {
    writeFileSync(path, `${alice} alice\n`, { mode: 0o600 })
    const tokens = await open()
    expect([tokens.find(alice)?.name, tokens.find(bob)]).toEqual(['alice', undefined])
    writeFileSync(path, `${bob} bob status\n* status\n`)
    await tokens.reload()
    expect([tokens.find(alice), tokens.find(bob)?.name]).toEqual([undefined, 'bob'])
    expect(tokens.nobody.rights('status')).toBe(true)
    writeFileSync(path, 'nonsense')
    await expect(tokens.reload()).rejects.toMatchObject({ code: 'ERR_FR_PEERS' })
    expect(tokens.find(bob)?.name).toBe('bob')
    expect(log.map(({ event }) => event)).toContain('tokens-refused')
  })

  it('is found again by itself', async () => {
    writeFileSync(path, `${alice} alice\n`, { mode: 0o600 })
    const tokens = await open()
    writeFileSync(path, `${bob} bob\n`)
    while (tokens.find(bob) === undefined) await new Promise((resolve) => setTimeout(resolve, 20))
    expect(tokens.find(alice)).toBeUndefined()
  })

  it('is not taken where others can change it, or where there is none', async () => {
    await expect(open()).rejects.toMatchObject({ code: 'ERR_FR_PEERS' })
    writeFileSync(path, `${alice} alice\n`)
    chmodSync(path, 0o666)
    await expect(open()).rejects.toThrow('others can change it')
  })
})
