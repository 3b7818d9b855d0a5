/** Adding nodes to a push that ends by a defect of this program: every request is answered. */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { openEngine } from '../../src/agent/engines.js'
import type { NodeLink } from '../../src/control/plan/plan.js'
import { WorkerHashPool } from '../../src/engine/hashing/pool.js'
import { freshSigner, randomId, selfOf } from '../../src/net/crypto.js'
import { openKey } from '../../src/net/keys.js'
import { Resolver } from '../../src/net/resolver.js'
import { PushRun } from '../../src/session/coordinator/push-run.js'
import { engines } from './engines.js'
import { useWorld } from './push-support.js'

const defect = new Error('a defect')

describe.each(engines)('a run on the %s engine', (kind) => {
  const world = useWorld(kind)

  /** HOST:PORT that accepts connections and stays silent. */
  async function mute(): Promise<string> {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      world.defer(() => socket.destroy())
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    world.defer(() => server.close())
    return `127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  /** A run that fails at the first outcome. */
  async function fragile(nodes: readonly NodeLink[]): Promise<PushRun> {
    const { engine, router } = await openEngine(kind, () => {})
    const pool = new WorkerHashPool()
    world.defer(() => engine.shutdown())
    world.defer(() => pool.close())
    const source = await engine.storage.openSource(world.file('f.bin', 1_000).path)
    world.defer(() => engine.storage.closeFile(source.file))
    const self = selfOf(freshSigner())
    const connectMs = 20_000
    const spec = {
      transfer: randomId(),
      contentId: randomId(),
      signer: self.signer,
      strategy: 'adaptive',
      shape: 'auto',
      name: Buffer.from('f.bin'),
      nodes,
      originUplinkBytesPerSecond: undefined,
      algorithm: 'xxh64',
      known: undefined,
      noClobber: false,
      strict: false,
      allowAdd: false,
      connectMs,
      silenceMs: 60_000,
      retries: 0,
      rejoinMs: 0,
      wait: false,
      dialler: { keys: [openKey], self, connectMs, resolver: new Resolver() },
      log: () => {},
    } as const
    return new PushRun(engine, router, pool, source, spec, {
      plan: () => {},
      outcome: () => {
        throw defect
      },
    })
  }

  it('that dies of a defect answers those who wait, and those who come later', async () => {
    const run = await fragile([{ address: await mute() }])
    const result = run.run()
    const waiting = run.add({ address: await mute() })
    // Without a key it is not even dialled.
    const refused = run.add({ address: '192.0.2.1:1' })
    const ended = expect(result).rejects.toMatchObject({ code: 'ERR_FR_INTERNAL', cause: defect })
    for (const add of [waiting, refused])
      await expect(add).rejects.toMatchObject({ code: 'ERR_FR_NO_TRANSFER' })
    await ended
    const late = run.add({ address: await mute() })
    await expect(late).rejects.toMatchObject({ code: 'ERR_FR_NO_TRANSFER' })
  })
})
