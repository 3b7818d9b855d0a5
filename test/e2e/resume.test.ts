/**
 * A push of the same content goes on from what an earlier one left: after a killed node, a killed
 * or cancelled sender, under another name, with another time, and never with a wrong byte.
 */
import {
  closeSync,
  copyFileSync,
  futimesSync,
  openSync,
  readFileSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { push } from '../../src/api/index.js'
import { bytesOfHex } from '../../src/base/bytes.js'
import { KIB, MIB } from '../../src/base/limits.js'
import { nodePrimitives } from '../../src/net/crypto.js'
import type { FileTime } from '../../src/ports.js'
import { readDigests } from '../../src/protocol/digest-record.js'
import { Catalogue } from '../../src/store/catalogue/catalogue.js'
import type { HeldStream } from '../../src/store/catalogue/record.js'
import { granuleMs } from '../../src/store/held/identity.js'
import { digestTable } from '../../src/store/held/verify.js'
import { readJournal } from '../../src/store/journal/journal.js'
import { usualEngines } from './engines.js'
import { journals, writtenDown } from './journals.js'
import { expectCopies, keepsNothing, until, useWorld } from './push-support.js'

const bytes = 24 * MIB + 5
const heldMin = 2 * MIB

describe.each(usualEngines)('an unfinished copy at a %s node', (engine) => {
  const world = useWorld(engine)

  /** A push that is cancelled once the node has written down what it has verified. */
  async function leave(address: string, dataDir: string, path: string): Promise<void> {
    const door = await world.holding(address, 8 * MIB)
    const abort = new AbortController()
    const running = push(path, { to: [door.address], engine, signal: abort.signal })
    running.result.catch(() => {})
    await writtenDown(dataDir, door, heldMin)
    abort.abort()
    await running.result.catch(() => {})
    await door.close()
  }

  const partialOf = (dataDir: string): string =>
    join(dataDir, '.fastreplica/partials', journals(dataDir)[0] as string)

  const journalOf = async (dataDir: string) => {
    const { size, mtimeNs, ctimeNs, ino } = statSync(partialOf(dataDir), { bigint: true })
    const [mtime, ctime] = [mtimeNs, ctimeNs].map((time) => ({
      seconds: Number(time / 1_000_000_000n),
      nanos: Number(time % 1_000_000_000n),
    })) as [FileTime, FileTime]
    const identity = { size: Number(size), mtime, ctime, inode: String(ino) }
    return readJournal(
      join(dataDir, '.fastreplica/journals', journals(dataDir)[0] as string),
      identity,
    )
  }

  it('is gone on with after the sender was stopped, whatever the file is called', async () => {
    const node = await world.node()
    const { path, content } = world.file('data.bin', bytes)
    await leave(node.address, node.dataDir, path)
    await until(() => node.status().kept.files === 1, 'the copy is kept')
    const other = `${path}.other`
    copyFileSync(path, other)
    const { nodes } = await push(other, { to: [node.address], engine, as: 'renamed' }).result
    expect(nodes[0]?.reason).toBeNull()
    expect(nodes[0]?.heldBytes).toBeGreaterThanOrEqual(heldMin)
    expect(nodes[0]?.heldBytes).toBeLessThan(bytes)
    const { heldBytes = 0, receivedBytes = 0, duplicateBytes = 0 } = nodes[0] ?? {}
    expect(heldBytes + receivedBytes - duplicateBytes).toBe(bytes)
    expectCopies(content, 'renamed', [node])
    await keepsNothing(node.dataDir)
    await until(() => journals(node.dataDir).length === 0, 'the journal is gone')
  })

  it('counts for nothing where the content is another one of the same size', async () => {
    const node = await world.node()
    const { path } = world.file('data.bin', bytes)
    await leave(node.address, node.dataDir, path)
    await until(() => node.status().kept.files === 1, 'the copy is kept')
    const content = readFileSync(path).map((byte) => byte ^ 0xff)
    writeFileSync(path, content)
    const { nodes } = await push(path, { to: [node.address], engine, as: 'data.bin' }).result
    expect(nodes[0]).toMatchObject({ reason: null, heldBytes: 0 })
    expectCopies(Buffer.from(content), 'data.bin', [node])
  })

  it('loses only the blocks that differ', async () => {
    const node = await world.node()
    const { path, content } = world.file('data.bin', bytes)
    await leave(node.address, node.dataDir, path)
    await until(() => node.status().kept.files === 1, 'the copy is kept')
    const edited = Buffer.from(content)
    edited[70_000] = (edited[70_000] ?? 0) ^ 1
    writeFileSync(path, edited)
    const { nodes } = await push(path, { to: [node.address], engine }).result
    expect(nodes[0]?.reason).toBeNull()
    expect(nodes[0]?.heldBytes).toBeGreaterThanOrEqual(heldMin - 64 * KIB)
    expectCopies(edited, 'data.bin', [node])
  })

  it('is known as it was left; once somebody was at it, it is read before it counts', async () => {
    const node = await world.node()
    const { path, content } = world.file('data.bin', bytes)
    await leave(node.address, node.dataDir, path)
    await until(() => node.status().kept.files === 1, 'the copy is kept')
    const before = await journalOf(node.dataDir)
    expect(before?.isSure).toBe(true)
    const [wrong = 0] = before?.runs.map(({ offset }) => offset) ?? []
    const partial = partialOf(node.dataDir)
    const { mtimeMs, ctimeMs } = statSync(partial)
    const fd = openSync(partial, 'r+')
    await until(() => {
      writeSync(fd, 'edited', wrong)
      futimesSync(fd, new Date(), mtimeMs / 1000)
      return statSync(partial).ctimeMs > ctimeMs
    }, 'it has another time')
    closeSync(fd)
    expect((await journalOf(node.dataDir))?.isSure).toBe(false)
    const { nodes } = await push(path, { to: [node.address], engine }).result
    expect(nodes[0]?.reason).toBeNull()
    // What is as it was is not sent again.
    expect(nodes[0]?.heldBytes).toBeGreaterThanOrEqual(heldMin)
    expect(nodes[0]?.receivedBytes).toBeLessThan(bytes)
    expectCopies(content, 'data.bin', [node])
  })

  it('is of the same author when it is whole: the node has signed nothing', async () => {
    const [node, other] = await world.nodes(2)
    const { path } = world.file('data.bin', bytes)
    // The author knows the content from now on, and what it pushes is the same one.
    const isOld = () => Date.now() - statSync(path).ctimeMs > granuleMs + 50
    await until(isOld, 'its time stamps can be trusted')
    await push(path, { to: [other.address], engine }).result
    await leave(node.address, node.dataDir, path)
    await until(() => node.status().kept.files === 1, 'the copy is kept')
    const left = await journalOf(node.dataDir)
    const { nodes } = await push(path, { to: [node.address], engine }).result
    expect(nodes[0]?.heldBytes).toBeGreaterThanOrEqual(heldMin)
    await node.close()
    const catalogue = await Catalogue.open(join(node.dataDir, '.fastreplica'))
    const [record] = catalogue.list()
    const { author, contentId } = left?.header ?? {}
    expect(record).toMatchObject({ author, contentId })
    const runs = await catalogue.runs(record as HeldStream)
    const [key, content] = [bytesOfHex(author ?? ''), record as HeldStream]
    for (const run of runs)
      readDigests(nodePrimitives, key as Uint8Array, content, run, run.payload)
    expect(digestTable(content, runs)).not.toBeNull()
    await catalogue.close()
  })

  it('is gone on with after the node was killed', async () => {
    const child = await world.childNode()
    const { path, content } = world.file('data.bin', bytes)
    const door = await world.holding(child.address, 8 * MIB)
    const running = push(path, { to: [door.address], engine, retries: 0, silenceMs: 6_000 })
    await writtenDown(child.dataDir, door, heldMin)
    child.child.kill('SIGKILL')
    await child.ended
    await running.result
    await door.close()
    // What it wrote after its last batch is its own: nothing has to be read.
    const killed = await journalOf(child.dataDir)
    expect(killed).toMatchObject({ isSure: true, isLeft: false })
    const node = await world.node({ dataDir: child.dataDir })
    // So it is after the next process has trimmed the partial, whenever that was.
    expect(await journalOf(child.dataDir)).toMatchObject({ isSure: true, isLeft: true })
    const { nodes } = await push(path, { to: [node.address], engine }).result
    expect(nodes[0]?.reason).toBeNull()
    expect(nodes[0]?.heldBytes).toBeGreaterThanOrEqual(heldMin)
    expectCopies(content, 'data.bin', [child])
  })
})
