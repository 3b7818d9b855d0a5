/** Who a node or client is, when its key is copied, moved, damaged, or cannot be kept. */
import { createPublicKey, type KeyObject } from 'node:crypto'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { clientKey, nodeKey } from '../../../src/store/identity.js'

const directory = mkdtempSync(join(tmpdir(), 'fr-identity-'))
afterAll(() => rmSync(directory, { recursive: true }))

let count = 0
let data: string
beforeEach(() => {
  data = join(directory, `data${count++}`)
  mkdirSync(join(data, '.fastreplica'), { recursive: true })
})

const here = 'a'.repeat(32)
const elsewhere = 'b'.repeat(32)

function publicHex(key: KeyObject): string {
  return createPublicKey(key).export({ format: 'der', type: 'spki' }).toString('hex')
}

/** One start of a node. */
async function start(path: string, machine?: string) {
  const found = await nodeKey(path, machine === undefined ? undefined : async () => machine)
  return { key: publicHex(found.key), isNew: found.isNew }
}

describe('the key of a node', () => {
  it('stays from start to start, also where the directory is moved', async () => {
    const first = await start(data, here)
    expect(first.isNew).toBe(false)
    expect(await start(data, here)).toEqual(first)
    renameSync(data, `${data}-moved`)
    expect(await start(`${data}-moved`, here)).toEqual(first)
  })

  it('is another one for a copy of the directory, said once', async () => {
    const first = await start(data, here)
    cpSync(data, `${data}-copy`, { recursive: true })
    const copy = await start(`${data}-copy`, here)
    expect(copy.isNew).toBe(true)
    expect(copy.key).not.toBe(first.key)
    expect(await start(`${data}-copy`, here)).toEqual({ ...copy, isNew: false })
    expect(await start(data, here)).toEqual(first)
  })

  it('is another one on another machine, also at the same inode', async () => {
    const first = await start(data, here)
    const moved = await start(data, elsewhere)
    expect(moved.isNew).toBe(true)
    expect(moved.key).not.toBe(first.key)
    expect((await start(data, elsewhere)).isNew).toBe(false)
  })

  it('needs no id of the machine', async () => {
    const first = await start(data)
    expect(await start(data)).toEqual(first)
    const nameless = await start(data, '')
    expect(await start(data, '')).toEqual({ ...nameless, isNew: false })
  })

  it('lies in a file that only its owner reads, alone and whole', async () => {
    await start(data, here)
    expect(readdirSync(join(data, '.fastreplica'))).toEqual(['node-key'])
    const path = join(data, '.fastreplica', 'node-key')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readFileSync(path, 'latin1')).toMatch(
      /^made for [0-9a-f]{64}\n-----BEGIN PRIVATE KEY-----\n\S+\n-----END PRIVATE KEY-----\n$/,
    )
  })

  it('that is damaged, of another kind or behind a link is made anew', async () => {
    const path = join(data, '.fastreplica', 'node-key')
    const first = await start(data, here)
    const whole = readFileSync(path)
    const head = whole.subarray(0, whole.indexOf('\n') + 1).toString()
    const target = join(data, 'target')
    for (const damage of [
      () => writeFileSync(path, ''),
      () => writeFileSync(path, whole.subarray(0, whole.length - 40)),
      () => writeFileSync(path, whole.subarray(1)),
      () =>
        writeFileSync(
          path,
          `${head}-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n`,
        ),
      () => writeFileSync(path, Buffer.alloc(1 << 20, 'x')),
      () => {
        renameSync(path, target)
        symlinkSync(target, path)
      },
    ]) {
      damage()
      const again = await start(data, here)
      expect(again.isNew).toBe(true)
      expect(again.key).not.toBe(first.key)
      expect(await start(data, here)).toEqual({ ...again, isNew: false })
      writeFileSync(path, whole)
    }
  })

  it('that cannot be kept keeps the node from starting', async () => {
    const path = join(data, '.fastreplica', 'node-key')
    mkdirSync(path)
    const refusal = { code: 'ERR_FR_DATA_DIR', path }
    await expect(nodeKey(data)).rejects.toMatchObject(refusal)
    expect(readdirSync(join(data, '.fastreplica'))).toEqual(['node-key'])
  })
})

describe('the key of clients', () => {
  const keyFor = async (home: string) => publicHex(await clientKey({ XDG_CONFIG_HOME: home }))

  it('is made on first use, private, and the same for all that ask at once', async () => {
    const home = join(data, 'config')
    const keys = await Promise.all(Array.from({ length: 8 }, () => keyFor(home)))
    expect(new Set(keys).size).toBe(1)
    expect(await keyFor(home)).toBe(keys[0])
    expect(readdirSync(join(home, 'fastreplica'))).toEqual(['client-key'])
    expect(statSync(join(home, 'fastreplica')).mode & 0o777).toBe(0o700)
    expect(statSync(join(home, 'fastreplica', 'client-key')).mode & 0o777).toBe(0o600)
  })

  it('goes along with a home directory', async () => {
    const key = await keyFor(data)
    cpSync(data, `${data}-copy`, { recursive: true })
    expect(await keyFor(`${data}-copy`)).toBe(key)
  })

  it('that is damaged is made anew', async () => {
    const key = await keyFor(data)
    writeFileSync(join(data, 'fastreplica', 'client-key'), 'nothing')
    const again = await keyFor(data)
    expect(again).not.toBe(key)
    expect(await keyFor(data)).toBe(again)
  })

  it.each([0o604, 0o602, 0o644])(
    'is refused where every user can read or change it: mode %o',
    async (mode) => {
      await keyFor(data)
      const path = join(data, 'fastreplica', 'client-key')
      chmodSync(path, mode)
      await expect(keyFor(data)).rejects.toMatchObject({ code: 'ERR_FR_KEY', path })
      chmodSync(path, 0o640)
      expect(await keyFor(data)).toMatch(/^302a/)
    },
  )

  it('is one of the process alone where it cannot be kept', async () => {
    const missing = join(data, 'no', 'such', 'place')
    expect(await keyFor(missing)).toBe(await keyFor(missing))
    expect(existsSync(join(data, 'no'))).toBe(false)
    const file = join(data, 'file')
    writeFileSync(file, '')
    expect(await keyFor(file)).toMatch(/^302a/)
    const taken = join(data, 'taken')
    mkdirSync(join(taken, 'fastreplica', 'client-key'), { recursive: true })
    expect(await keyFor(taken)).toMatch(/^302a/)
  })
})
