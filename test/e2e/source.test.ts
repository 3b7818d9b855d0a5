/** The source file changes during a push: its content decides. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  closeSync,
  linkSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { digestFile, type FrError, type FrNode, push, type Transfer } from '../../src/api/index.js'
import { MIB } from '../../src/base/limits.js'
import { invertByte } from './damage.js'
import { usualEngines } from './engines.js'
import { expectCopies, keepsNothing, until, useWorld } from './push-support.js'

const hasPython = spawnSync('python3', ['--version']).status === 0

/**
 * A program that has mapped the file and dirtied the pages at these offsets before it reports. Each
 * line on its input writes them again: no time stamp changes, because the pages are dirty.
 */
async function mapper(path: string, offsets: readonly number[]): Promise<ChildProcess> {
  const program = `
import mmap, sys
with open(sys.argv[1], 'r+b') as file:
    pages = mmap.mmap(file.fileno(), 0)
for line in ['first'] + [None]:
    for at in map(int, sys.argv[2:]):
        pages[at:at + 1] = bytes([pages[at] ^ 1])
    print('written', flush=True)
    if line and not sys.stdin.readline(): break
sys.stdin.readline()
`
  const args = ['-c', program, path, ...offsets.map(String)]
  const child = spawn('python3', args, { stdio: ['pipe', 'pipe', 'inherit'] })
  await once(child.stdout as NodeJS.ReadableStream, 'data')
  return child
}

for (const engine of usualEngines) {
  describe(`the source of a push on the ${engine} engine`, () => {
    const world = useWorld(engine)

    /** A push that is held in the middle while its source is changed. */
    async function during(change: (path: string) => void, bytes = 96 * MIB) {
      const node = await world.node()
      const door = await world.holding(node.address, 2 * MIB)
      const { path, content } = world.file('data.bin', bytes)
      const { mtimeMs } = statSync(path)
      const transfer = push(path, { to: [door.address], engine })
      await until(door.isHolding, 'the push is in the middle')
      change(path)
      door.open()
      return { node, transfer, path, content, mtimeMs }
    }

    /**
     * Usually the push fails and publishes nothing. If hashing began so late that it saw only the
     * new content, the node has that. It never has a mixture.
     */
    async function neverTorn(
      { result }: Transfer,
      node: FrNode & { dataDir: string },
      path: string,
      name: string,
    ): Promise<void> {
      const outcome = await result.catch((error: FrError) => error.code)
      if (typeof outcome !== 'string') {
        expect(outcome.nodes[0]?.reason).toBeNull()
        expect(readFileSync(join(node.dataDir, name)).equals(readFileSync(path))).toBe(true)
        return
      }
      expect(outcome).toBe('ERR_FR_SOURCE_CHANGED')
      await until(() => node.status().transfers.length === 0, 'the transfer ends')
      expect(readdirSync(node.dataDir)).toEqual(['.fastreplica'])
      await keepsNothing(node.dataDir)
    }

    const harmless: Record<string, (path: string) => void> = {
      'the mode it has': (path) => chmodSync(path, statSync(path).mode & 0o777),
      'another mode': (path) => chmodSync(path, 0o600),
      'another name': (path) => renameSync(path, `${path}.moved`),
      'a second name': (path) => linkSync(path, `${path}.link`),
      'later times': (path) => utimesSync(path, 2e9, 2e9),
      'the same bytes once more': (path) =>
        writeFileSync(path, readFileSync(path).subarray(0, 5000), { flag: 'r+' }),
    }
    it.each(Object.entries(harmless))('%s: the push completes', async (_what, change) => {
      const { node, transfer, content, mtimeMs } = await during(change)
      const result = await transfer.result
      expect(result.nodes[0]?.reason).toBeNull()
      expect(result.warnings).toEqual([])
      const copy = join(node.dataDir, 'data.bin')
      expect(readFileSync(copy).equals(content)).toBe(true)
      // The time at the start of the push; the portable engine keeps microseconds.
      expect(statSync(copy).mtimeMs).toBeCloseTo(mtimeMs, 1)
    })

    it.each<[string, (path: string) => void]>([
      ['removed', unlinkSync],
      [
        'replaced',
        (path) => {
          writeFileSync(`${path}.new`, 'something else')
          renameSync(`${path}.new`, path)
        },
      ],
    ])('%s: the nodes get what was opened, and the result says so', async (_what, change) => {
      const { node, transfer, content } = await during(change)
      const result = await transfer.result
      expect(result.nodes[0]?.reason).toBeNull()
      expect(result.warnings).toEqual([expect.stringMatching(/removed or replaced/)])
      expectCopies(content, 'data.bin', [node])
    })

    const harmful: Record<string, (path: string) => void> = {
      'one byte that was sent': (path) => invertByte(path, 5),
      'one byte that was sent, with the old times': (path) => {
        const { atime, mtime } = statSync(path)
        invertByte(path, 5)
        utimesSync(path, atime, mtime)
      },
      'cut off': (path) => truncateSync(path, MIB),
      'cut off and grown again': (path) => {
        const { size } = statSync(path)
        truncateSync(path, 0)
        truncateSync(path, size)
      },
    }
    it.each(Object.entries(harmful))('%s: no torn copy', async (_what, change) => {
      const { node, transfer, path } = await during(change)
      await neverTorn(transfer, node, path, 'data.bin')
    })

    it.runIf(hasPython)('a mapping that moves no time stamp makes no torn copy', async () => {
      const bytes = 192 * MIB
      const { path } = world.file('mapped.bin', bytes)
      // The first page is hashed and sent when the push is held, the last one is not.
      const writer = await mapper(path, [0, bytes - 1])
      world.defer(() => writer.kill('SIGKILL'))
      const node = await world.node()
      const door = await world.holding(node.address, 8 * MIB)
      const transfer = push(path, { to: [door.address], engine })
      await until(door.isHolding, 'the push is in the middle')
      writer.stdin?.write('\n')
      await once(writer.stdout as NodeJS.ReadableStream, 'data')
      door.open()
      await neverTorn(transfer, node, path, 'mapped.bin')
    })

    it.runIf(engine === 'native')('a writer that writes nothing costs a warning', async () => {
      const node = await world.node()
      const { path, content } = world.file('data.bin', 3 * MIB + 1)
      const writer = openSync(path, 'r+')
      world.defer(() => closeSync(writer))
      const result = await push(path, { to: [node.address], engine }).result
      expect(result.nodes[0]?.reason).toBeNull()
      expect(result.warnings).toEqual([expect.stringMatching(/open for writing/)])
      expectCopies(content, 'data.bin', [node])
      expect(await digestFile(path)).toBe(result.digest)
    })

    it('what is no regular file is refused in words', async () => {
      const node = await world.node()
      const fifo = join(world.dir, 'fifo')
      execFileSync('mkfifo', [fifo])
      for (const [path, text] of [
        [fifo, /is a FIFO/],
        ['/dev/null', /is a character device/],
        ['/proc/self/mem', /says it has 0 bytes and holds more or less/],
        ['/sys/kernel/profiling', /says it has 4096 bytes and holds more or less/],
      ] as const) {
        await expect(push(path, { to: [node.address], engine }).result).rejects.toMatchObject({
          code: 'ERR_FR_SOURCE',
          message: expect.stringMatching(text),
        })
      }
      expect(readdirSync(node.dataDir)).toEqual(['.fastreplica'])
    })
  })
}
