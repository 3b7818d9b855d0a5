/** Any node that holds a file can be the origin of a push: `copy`, `startCopy`, `waitFor`. */
import { appendFileSync, chmodSync, existsSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { copy, type Plan, push, startCopy, waitFor } from '../../src/api/index.js'
import { bytesOfHex } from '../../src/base/bytes.js'
import { limits, MIB } from '../../src/base/limits.js'
import { hiddenDir } from '../../src/base/names.js'
import { nodePrimitives, randomId } from '../../src/net/crypto.js'
import { readDigests } from '../../src/protocol/digest-record.js'
import { nodeIdOf } from '../../src/protocol/greeting.js'
import { Catalogue } from '../../src/store/catalogue/catalogue.js'
import type { HeldStream } from '../../src/store/catalogue/record.js'
import type { Door } from './door.js'
import { usualEngines } from './engines.js'
import { expectCopies, until, useWorld, type WorldNode } from './push-support.js'

const name = 'a.bin'

/** The record of the file at a node that is closed, once its author is found to have signed it. */
async function provedRecord(dataDir: string): Promise<HeldStream> {
  const catalogue = await Catalogue.open(join(dataDir, hiddenDir))
  const record = catalogue.get(Buffer.from(name)) as HeldStream
  let end = 0
  for (const { offset, length, payload } of await catalogue.runs(record)) {
    const author = bytesOfHex(record.author) as Uint8Array
    readDigests(nodePrimitives, author, record, { offset, length }, payload)
    expect(offset).toBeLessThanOrEqual(end)
    end = Math.max(end, offset + length)
  }
  expect(end).toBe(record.size)
  await catalogue.close()
  return record
}

describe.each(usualEngines)('on the %s engine', (engine) => {
  const world = useWorld(engine)
  let holder: WorldNode
  let others: WorldNode[]
  let content: Buffer
  let path: string

  /** One node has the file, and whoever pushed it is gone. */
  beforeEach(async () => {
    ;[holder, ...others] = (await world.nodes(3)) as [WorldNode, ...WorldNode[]]
    ;({ path, content } = world.file(name, 20 * MIB + 5))
    chmodSync(path, 0o640)
    utimesSync(path, 1_000_000_000, 1_000_000_000)
    await push(path, { to: [holder.address], engine }).result
  })

  const at = (index: number): WorldNode => others[index] as WorldNode
  const held = (node: WorldNode): string => join(node.dataDir, name)
  const to = (...addresses: string[]) => ({ from: holder.address, to: addresses })

  /** A door to the first of the others, which holds a copy up. */
  const doorTo = (index: number): Promise<Door> => world.holding(at(index).address, 4 * MIB)
  const roles = (node: WorldNode): string[] => node.status().transfers.map(({ role }) => role)

  it('what its author signed comes to others from a holder, and from those to others', async () => {
    const seen: string[] = []
    const transfer = copy(name, to(at(0).address))
    for (const event of ['plan', 'progress', 'node', 'result'] as const)
      transfer.on(event, () => void (seen.at(-1) !== event && seen.push(event)))
    transfer.on('plan', (plan: Plan) => expect(plan.transfer).toBe(transfer.id))
    const result = await transfer.result
    expect(result.nodes).toMatchObject([{ node: at(0).address, status: 'complete' }])
    expect(result).toMatchObject({ transfer: transfer.id, bytes: content.length })
    // There is progress while nodes are being connected, too.
    expect(seen.filter((event) => event !== 'progress')).toEqual(['plan', 'node', 'result'])
    expect([seen.includes('progress'), seen.at(-1)]).toEqual([true, 'result'])
    await copy(name, { from: at(0).address, to: [at(1).address] }).result
    expectCopies(content, name, others)
    for (const node of [holder, ...others]) await node.close()
    const records = await Promise.all([holder, ...others].map((n) => provedRecord(n.dataDir)))
    const [first] = records as [HeldStream]
    for (const { contentId, author, fileDigest } of records)
      expect({ contentId, author, fileDigest }).toEqual({
        contentId: first.contentId,
        author: first.author,
        fileDigest: result.digest,
      })
    for (const { mode, mtimeMs } of others.map((node) => statSync(held(node))))
      expect({ mode: mode & 0o777, mtimeMs }).toEqual({ mode: 0o640, mtimeMs: 1e12 })
  })

  it('a group copies among its members, under another name', async () => {
    const wishes = { as: 'd/b.bin', shape: 'group' } as const
    const result = await copy(name, { ...to(at(0).address, at(1).address), ...wishes }).result
    expect(result).toMatchObject({ shape: 'group', nodes: [{ code: null }, { code: null }] })
    expect(result.originBytesSent).toBeLessThan(1.7 * content.length)
    expectCopies(content, 'd/b.bin', others)
  })

  it('what lay at a node is signed by the node', async () => {
    const adopter = await world.node({ adopt: true })
    await adopter.close()
    writeFileSync(held(adopter), content)
    const again = await world.node({ dataDir: adopter.dataDir, adopt: true })
    await until(() => again.status().held.files === 1, 'the file is adopted')
    await copy(name, { from: again.address, to: [at(0).address] }).result
    expectCopies(content, name, [at(0)])
    await at(0).close()
    const { author } = await provedRecord(at(0).dataDir)
    expect(nodeIdOf(nodePrimitives, bytesOfHex(author) as Uint8Array)).toBe(again.nodeId)
  })

  it('outcomes of nodes that fail are those of a push', async () => {
    const options = { ...to(at(0).address, '127.0.0.1:1'), connectMs: 4_000 }
    expect((await copy(name, options).result).nodes).toMatchObject([
      { status: 'complete', servedBy: null },
      { status: 'failed', code: 'ERR_FR_UNREACHABLE', servedBy: null },
    ])
  })

  it('a name that the node does not hold is refused', async () => {
    const failed = { code: 'ERR_FR_NOT_HELD' }
    await expect(copy('b.bin', to(at(0).address)).result).rejects.toMatchObject(failed)
    await expect(startCopy('b.bin', to(at(0).address))).rejects.toMatchObject(failed)
    expect(existsSync(join(at(0).dataDir, 'b.bin'))).toBe(false)
  })

  it('a file that somebody else changed is not copied', async () => {
    appendFileSync(held(holder), 'x')
    const failed = { code: 'ERR_FR_NOT_HELD' }
    for (let i = 0; i < 2; i++)
      await expect(copy(name, to(at(0).address)).result).rejects.toMatchObject(failed)
    expect(existsSync(held(at(0)))).toBe(false)
  })

  it('one that is changed while it is copied ends the copy', async () => {
    const door = await doorTo(0)
    const result = copy(name, to(door.address)).result
    result.catch(() => {})
    await until(door.isHolding, 'the copy is held up')
    writeFileSync(held(holder), Buffer.alloc(content.length, 'x'), { flag: 'r+' })
    door.open()
    await expect(result).rejects.toMatchObject({ code: 'ERR_FR_SOURCE_CHANGED' })
    expect(existsSync(held(at(0)))).toBe(false)
    await expect(copy(name, to(at(0).address)).result).rejects.toMatchObject({
      code: 'ERR_FR_NOT_HELD',
    })
  })

  it('a copy ends with its client', async () => {
    const door = await doorTo(0)
    const transfer = copy(name, to(door.address))
    transfer.result.catch(() => {})
    await until(door.isHolding, 'the copy is held up')
    expect(roles(holder)).toEqual(['origin'])
    transfer.cancel(new Error('enough'))
    await expect(transfer.result).rejects.toThrow('enough')
    await until(() => roles(holder).length + roles(at(0)).length === 0, 'nothing runs any more')
    expect(existsSync(held(at(0)))).toBe(false)
    await expect(waitFor(transfer.id, { via: holder.address }).result).rejects.toMatchObject({
      code: 'ERR_FR_ABORTED',
    })
  })

  it('a detached one goes on, and whoever waits is told all of it', async () => {
    const door = await doorTo(0)
    const id = await startCopy(name, to(door.address, at(1).address))
    await until(door.isHolding, 'the copy is held up')
    await until(() => existsSync(held(at(1))), 'the other node is complete')
    expect(holder.status().transfers).toMatchObject([{ transfer: id, role: 'origin', name }])
    // Whoever leaves ends nothing.
    const leaver = waitFor(id, { via: holder.address })
    await new Promise((resolve) => leaver.once('progress', resolve))
    leaver.cancel()
    await expect(leaver.result).rejects.toThrow()
    const waiting = waitFor(id, { via: holder.address })
    const nodes: string[] = []
    let plans = 0
    waiting.on('node', ({ node }) => void nodes.push(node))
    waiting.on('plan', () => void plans++)
    await new Promise((resolve) => waiting.once('progress', resolve))
    door.open()
    const result = await waiting.result
    expect(nodes).toEqual([at(1).address, door.address])
    expect(plans).toBe(1)
    expectCopies(content, name, others)
    // The result is kept, and says the same.
    expect(await waitFor(id, { via: holder.address }).result).toEqual(result)
    const unknown = waitFor(randomId(), { via: holder.address }).result
    await expect(unknown).rejects.toMatchObject({ code: 'ERR_FR_NO_TRANSFER' })
  })

  it('a node makes a few copies at once', async () => {
    const door = await doorTo(0)
    const begin = (i: number) => startCopy(name, { ...to(door.address), as: `copy${i}` })
    const most = Array.from({ length: limits.copiesPerNode }, (_, i) => begin(i))
    const running = await Promise.all(most)
    await expect(begin(99)).rejects.toMatchObject({ code: 'ERR_FR_LIMIT' })
    door.open()
    for (const id of running) {
      const { nodes } = await waitFor(id, { via: holder.address }).result
      expect(nodes).toMatchObject([{ status: 'complete' }])
    }
    expectCopies(content, 'copy0', [at(0)])
  })

  it('a node that closes ends its copies', async () => {
    const door = await doorTo(0)
    const id = await startCopy(name, to(door.address))
    const waiting = waitFor(id, { via: holder.address })
    waiting.result.catch(() => {})
    await until(door.isHolding, 'the copy is held up')
    await holder.close()
    await expect(waiting.result).rejects.toThrow()
    await until(() => roles(at(0)).length === 0, 'the other node has heard of it')
    expect(existsSync(held(at(0)))).toBe(false)
  })

  it('waits while another push writes the name, and tells those who follow', async () => {
    const door = await doorTo(0)
    const other = world.file('other', 8 * MIB)
    const running = push(other.path, { to: [door.address], as: name, engine })
    await until(door.isHolding, 'the push is held up')
    const transfer = copy(name, { ...to(at(0).address), wait: true })
    let words = 0
    transfer.on('progress', () => void words++)
    const seen: string[] = []
    transfer.on('node', ({ status }) => seen.push(status))
    await until(() => words > 2, 'it has said again and again that it waits')
    expect(seen).toEqual([])
    door.open()
    expect((await running.result).nodes).toMatchObject([{ status: 'complete' }])
    expect((await transfer.result).nodes).toMatchObject([{ status: 'complete' }])
    expect(seen).toEqual(['complete'])
    expectCopies(content, name, [at(0)])
    const refused = copy('gone', { ...to(at(0).address), wait: true }).result
    await expect(refused).rejects.toMatchObject({ code: 'ERR_FR_NOT_HELD' })
  })

  it('nodes can be added to it', async () => {
    const door = await doorTo(0)
    await using transfer = copy(name, to(door.address))
    await until(door.isHolding, 'the copy is held up')
    await transfer.add(at(1).address)
    door.open()
    expect((await transfer.result).nodes).toMatchObject([{ code: null }, { code: null }])
    expectCopies(content, name, others)
  })
})
