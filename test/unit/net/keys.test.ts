import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  closeSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { inspect } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { FrError } from '../../../src/base/errors.js'
import { limits } from '../../../src/base/limits.js'
import { loadKeyFile, loadKeyStream } from '../../../src/net/key-file.js'
import { generateKey, openKey, parseKey } from '../../../src/net/keys.js'
import { refusal } from '../protocol/support.js'

const directory = mkdtempSync(join(tmpdir(), 'fr-keys-'))
afterAll(() => rmSync(directory, { recursive: true }))

function keyFile(name: string, content: string | Uint8Array, mode = 0o600): string {
  const path = join(directory, name)
  writeFileSync(path, content)
  chmodSync(path, mode)
  return path
}

async function refusedFile(path: string): Promise<FrError> {
  const error = await loadKeyFile(path).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(FrError)
  expect((error as FrError).code).toBe('ERR_FR_KEY')
  expect((error as FrError).path).toBe(path)
  expect((error as FrError).message).toContain(path)
  return error as FrError
}

const text = 'not so secret, but more than thirty-two bytes'

describe('parseKey', () => {
  it('takes text as UTF-8 less one newline, bytes as they are', () => {
    const bytes = Buffer.from(text)
    for (const form of [text, `${text}\n`, `${text}\r\n`, `${text}\r`]) {
      expect(Buffer.from(parseKey(form).bytes)).toEqual(bytes)
    }
    expect(Buffer.from(parseKey(`${text}\n\n`).bytes)).toEqual(Buffer.from(`${text}\n`))
    expect(parseKey(Buffer.from(`${text}\n`)).bytes).toHaveLength(bytes.length + 1)
    expect(parseKey('ü'.repeat(16)).bytes).toHaveLength(32)
  })

  it('keeps its own copy', () => {
    const bytes = new Uint8Array(32).fill(1)
    const key = parseKey(bytes)
    bytes.fill(2)
    expect(key.bytes[0]).toBe(1)
  })

  it.each([
    ['short', 'x'.repeat(31)],
    ['short without its newline', `${'x'.repeat(31)}\n`],
    ['empty', ''],
    ['long', 'x'.repeat(limits.keyBytesMax + 1)],
    ['the keyless one', new Uint8Array(32)],
  ])('refuses a key that is %s', (_, key) => {
    refusal(() => parseKey(key), 'ERR_FR_KEY')
  })

  it('makes keys that it takes, no two alike', () => {
    expect(generateKey()).toMatch(/^[\w-]{43}$/)
    expect(generateKey()).not.toBe(generateKey())
    expect(parseKey(`${generateKey()}\n`).isOpen).toBe(false)
    expect(openKey.isOpen).toBe(true)
    expect(Buffer.from(openKey.bytes)).toEqual(Buffer.alloc(32))
  })

  it('shows its bytes to nobody', () => {
    const key = parseKey(text)
    const shown = [inspect(key, { showHidden: true, depth: 9 }), JSON.stringify({ key }), `${key}`]
    shown.push(JSON.stringify({ ...key }), inspect({ nested: { key } }), String(Object.keys(key)))
    for (const form of shown) {
      expect(form).not.toContain('secret,')
      expect(form).not.toContain('110')
    }
    expect(inspect(key)).toBe('Key(secret)')
  })
})

describe('loadKeyFile', () => {
  it('reads a file that only its owner reads', async () => {
    for (const mode of [0o600, 0o400]) {
      const key = await loadKeyFile(keyFile(`good-${mode}`, `${text}\n`, mode))
      expect(Buffer.from(key.bytes).toString()).toBe(text)
    }
    const full = 'x'.repeat(limits.keyBytesMax)
    expect((await loadKeyFile(keyFile('full', `${full}\r\n`))).bytes).toHaveLength(full.length)
    const link = join(directory, 'link')
    symlinkSync(keyFile('behind', text), link)
    expect((await loadKeyFile(link)).bytes).toHaveLength(text.length)
  })

  it.each([0o604, 0o620, 0o602, 0o610, 0o601, 0o644])('refuses mode %o', async (mode) => {
    const path = keyFile(`mode-${mode}`, text, mode)
    const error = await refusedFile(path)
    expect(error.message).toContain(`chmod 600 ${path}`)
    chmodSync(path, 0o600)
    expect((await loadKeyFile(path)).bytes).toHaveLength(text.length)
  })

  it('lets the group read that this process is in, and no other', async () => {
    const own = keyFile('own-group', `${text}\r\n`, 0o640)
    expect(Buffer.from((await loadKeyFile(own)).bytes).toString()).toBe(text)
    const groups = [process.getegid?.(), ...(process.getgroups?.() ?? [])]
    const stranger = 4711
    expect(groups).not.toContain(stranger)
    const other = keyFile('other-group', text, 0o640)
    chownSync(other, process.getuid?.() ?? 0, stranger)
    const error = await refusedFile(other)
    expect(error.message).toContain('group 4711 can read or change it, and this process is not in')
    expect((await loadKeyFile(other, true)).bytes).toHaveLength(text.length)
  })

  it('refuses what holds no key, without quoting it', async () => {
    const short = await refusedFile(keyFile('short', 'tiny secret\n'))
    expect(short.message).not.toContain('tiny')
    await refusedFile(keyFile('empty', ''))
    await refusedFile(keyFile('long', 'x'.repeat(limits.keyBytesMax + 1)))
    await refusedFile(keyFile('endless', 'x'.repeat(1 << 20)))
  })

  it('refuses what is missing or no file', async () => {
    const missing = await refusedFile(join(directory, 'missing'))
    expect(missing).toMatchObject({ errno: 2, syscall: 'open' })
    await refusedFile(directory)
    const empty = join(directory, 'pipe')
    execFileSync('mkfifo', ['-m', '600', empty])
    const refused = refusedFile(empty)
    closeSync(openSync(empty, 'r+'))
    await refused
    await refusedFile('/dev/null')
  })

  it('reads a pipe to its end, by the same rule', async () => {
    const pipe = join(directory, 'full-pipe')
    execFileSync('mkfifo', ['-m', '600', pipe])
    // Opened for both, so that neither side waits for the other.
    const fd = openSync(pipe, 'r+')
    writeSync(fd, `${text}\r\n`)
    const reading = loadKeyFile(pipe)
    closeSync(fd)
    expect(Buffer.from((await reading).bytes).toString()).toBe(text)
    chmodSync(pipe, 0o644)
    expect((await refusedFile(pipe)).message).toContain('mode 0644')
  })

  it('reads a stream to its end, and no further than a key', async () => {
    const key = await loadKeyStream(Readable.from([Buffer.from(text), Buffer.from('\n')]), '-')
    expect(Buffer.from(key.bytes).toString()).toBe(text)
    const endless = new Readable({ read: () => endless.push(Buffer.alloc(1024, 'x')) })
    await expect(loadKeyStream(endless, '-')).rejects.toMatchObject({ code: 'ERR_FR_KEY' })
    expect(endless.destroyed).toBe(true)
    const broken = new Readable({ read: () => broken.destroy(new Error('gone')) })
    await expect(loadKeyStream(broken, '-')).rejects.toMatchObject({ code: 'ERR_FR_KEY' })
  })
})
