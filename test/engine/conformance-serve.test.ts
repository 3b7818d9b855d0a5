/** Files on their way to connections of the host's, in both engines. */
import { once } from 'node:events'
import { truncateSync, writeFileSync } from 'node:fs'
import type { AddressInfo, Socket } from 'node:net'
import { join } from 'node:path'
import { createServer, type TLSSocket, connect as tlsConnect } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { engines } from './engines.js'
import { fileBytes, MIB, type Party, poll, useWorld } from './world.js'

const stalledMs = 60_000
const size = 3 * MIB + 777

describe.each(engines)('$kind engine: an answer', (under) => {
  const world = useWorld(under)

  interface Served {
    party: Party
    file: number
    bytes: Buffer
    path: string
    /** The host's end, and that of whoever reads. */
    near: Socket
    far: Socket
  }

  async function served(bytes = fileBytes(size)): Promise<Served> {
    const party = await world.party()
    const path = join(world.root, 'served')
    writeFileSync(path, bytes)
    const { file } = await party.engine.storage.openSource(path)
    const [near, far] = await world.pair()
    near.on('error', () => {})
    far.on('error', () => {})
    return { party, file, bytes, path, near, far }
  }

  /** What has come so far. */
  function collect(socket: Socket): { readonly bytes: Buffer } {
    const chunks: Buffer[] = []
    socket.on('data', (chunk: Buffer) => chunks.push(chunk)).resume()
    return {
      get bytes() {
        return Buffer.concat(chunks)
      },
    }
  }

  it('stands between what the host writes, and the connection goes on', async () => {
    const { party, file, bytes, near, far } = await served()
    const got = collect(far)
    near.write('before ')
    await party.engine.serve(near, { file, offset: 5, length: MIB, stalledMs })
    near.write(' between ')
    await party.engine.serve(near, { file, offset: 0, length: 0, stalledMs })
    await party.engine.serve(near, { file, offset: size - 9, length: 9, stalledMs })
    // What the reader says meanwhile is the host's.
    far.write('question')
    near.resume()
    const [question] = (await once(near, 'data')) as [Buffer]
    expect(question.toString()).toBe('question')
    near.end(' behind')
    await once(far, 'end')
    const parts = [bytes.subarray(5, 5 + MIB), Buffer.from(' between '), bytes.subarray(size - 9)]
    const wanted = Buffer.concat([Buffer.from('before '), ...parts, Buffer.from(' behind')])
    expect(got.bytes.equals(wanted)).toBe(true)
    const { openServes, servedBytes, payloadBytesInJavaScript } = party.engine.counters()
    expect({ openServes, servedBytes }).toEqual({ openServes: 0, servedBytes: MIB + 9 })
    expect(payloadBytesInJavaScript).toBe(under.kind === 'native' ? 0 : MIB + 9)
  })

  it('goes to many at once, each as fast as it reads', async () => {
    const { party, file, bytes } = await served()
    const reading = Array.from({ length: 8 }, async (_, at) => {
      const [near, far] = await world.pair()
      const got = collect(far)
      if (at % 2 === 0) far.pause()
      const offset = at * 1_001
      const sent = party.engine.serve(near, { file, offset, length: size - offset, stalledMs })
      if (at % 2 === 0) setImmediate(() => far.resume())
      await sent
      near.end()
      await once(far, 'end')
      expect(got.bytes.equals(bytes.subarray(offset))).toBe(true)
    })
    await Promise.all(reading)
    expect(party.engine.counters().openServes).toBe(0)
  })

  it('goes over an encrypted connection, a chunk at a time', async () => {
    const { party, file, bytes } = await served()
    const psk = Buffer.alloc(32, 7)
    const version = 'TLSv1.3' as const
    const how = { minVersion: version, maxVersion: version, ciphers: 'TLS_AES_128_GCM_SHA256:PSK' }
    const server = createServer({ ...how, pskCallback: () => psk }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const pskCallback = () => ({ psk, identity: 'x' })
    const checkServerIdentity = () => undefined
    const far = tlsConnect({ port, host: '127.0.0.1', ...how, pskCallback, checkServerIdentity })
    const [near] = (await once(server, 'secureConnection')) as [TLSSocket]
    server.close()
    const got = collect(far)
    near.write('before ')
    await party.engine.serve(near, { file, offset: 9, length: size - 9, stalledMs })
    near.end(' behind')
    await once(far, 'end')
    const wanted = [Buffer.from('before '), bytes.subarray(9), Buffer.from(' behind')]
    expect(got.bytes.equals(Buffer.concat(wanted))).toBe(true)
  })

  it('keeps to the limit of the engine', async () => {
    const { party, file, near, far } = await served()
    const bytesPerSecond = 2 * MIB
    party.engine.limit({ upBytesPerSecond: bytesPerSecond })
    const got = collect(far)
    const began = performance.now()
    await party.engine.serve(near, { file, offset: 0, length: MIB, stalledMs })
    const seconds = (performance.now() - began) / 1000
    // A budget saves up little; what is slower is no fault.
    expect(MIB / seconds).toBeLessThan(bytesPerSecond * 1.25)
    await poll('all of it is there', () => got.bytes.length === MIB)
  })

  it('is over where nobody takes it, and says so', async () => {
    const { party, file, near, far } = await served(fileBytes(16 * MIB))
    far.pause()
    const sent = party.engine.serve(near, { file, offset: 0, length: 16 * MIB, stalledMs: 300 })
    await expect(sent).rejects.toMatchObject({ code: 'ERR_FR_NODE_LOST', errno: 110 })
    expect(party.engine.counters().openServes).toBe(0)
  })

  it.each(['reset', 'destroyed here'] as const)('is over where it is %s', async (how) => {
    const { party, file, near, far } = await served(fileBytes(16 * MIB))
    far.pause()
    const sent = party.engine.serve(near, { file, offset: 0, length: 16 * MIB, stalledMs })
    const failed = expect(sent).rejects.toMatchObject({ code: 'ERR_FR_NODE_LOST' })
    await poll('it has begun', () => party.engine.counters().servedBytes > 0)
    if (how === 'reset') far.resetAndDestroy()
    else near.destroy()
    await failed
    expect(party.engine.counters().openServes).toBe(0)
  })

  it('stops when it is told to, and sends no more', async () => {
    const { party, file, near, far } = await served(fileBytes(16 * MIB))
    far.pause()
    const stop = new AbortController()
    const { signal } = stop
    const spec = { file, offset: 0, length: 16 * MIB, stalledMs, signal }
    const sent = party.engine.serve(near, spec)
    const failed = expect(sent).rejects.toThrow('enough')
    await poll('it has begun', () => party.engine.counters().servedBytes > 0)
    stop.abort(new Error('enough'))
    await failed
    await expect(party.engine.serve(near, spec)).rejects.toThrow('enough')
    const got = collect(far)
    near.end()
    await once(far, 'end')
    expect(got.bytes.length).toBeLessThan(16 * MIB)
  })

  it('is over where the file ends before, and the next one is not', async () => {
    const { party, file, bytes, path, near, far } = await served()
    far.resume()
    truncateSync(path, MIB)
    const short = party.engine.serve(near, { file, offset: 0, length: size, stalledMs })
    await expect(short).rejects.toMatchObject({ code: 'ERR_FR_SOURCE_CHANGED' })
    const [other, reader] = await world.pair()
    const got = collect(reader)
    await party.engine.serve(other, { file, offset: 7, length: MIB - 7, stalledMs })
    other.end()
    await once(reader, 'end')
    expect(got.bytes.equals(bytes.subarray(7, MIB))).toBe(true)
  })

  it('refuses what makes no sense, and ends with the engine', async () => {
    const { party, file, near } = await served(fileBytes(16 * MIB))
    const fine = { file, offset: 0, length: 16 * MIB, stalledMs }
    for (const wrong of [{ file: 999 }, { offset: -1 }, { length: 0.5 }, { stalledMs: 0 }])
      await expect(party.engine.serve(near, { ...fine, ...wrong })).rejects.toThrow(TypeError)
    const gone = await world.pair()
    gone[0].destroy()
    const lost = party.engine.serve(gone[0], fine)
    await expect(lost).rejects.toMatchObject({ code: 'ERR_FR_NODE_LOST' })
    const sent = party.engine.serve(near, fine)
    const failed = expect(sent).rejects.toMatchObject({ code: 'ERR_FR_CLOSED' })
    await poll('it has begun', () => party.engine.counters().servedBytes > 0)
    await party.engine.shutdown()
    await failed
  })

  it('reads what is there', async () => {
    const { party, file, bytes } = await served()
    const { storage } = party.engine
    const read = async (offset: number, length: number): Promise<Buffer> =>
      Buffer.from(await storage.read(file, { offset, length }))
    expect((await read(3, MIB)).equals(bytes.subarray(3, 3 + MIB))).toBe(true)
    expect((await read(size - 5, MIB)).equals(bytes.subarray(size - 5))).toBe(true)
    expect((await read(size, 1)).length).toBe(0)
    await expect(read(0, MIB + 1)).rejects.toThrow(TypeError)
    await expect(storage.read(file, { offset: -1, length: 1 })).rejects.toThrow(TypeError)
  })
})
