/** Control links that outlive their connections, on real sockets. */
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { LastingLinks } from '../../../src/agent/lasting-links.js'
import { limits } from '../../../src/base/limits.js'
import type { Frame } from '../../../src/control/messages/types.js'
import { selfOf } from '../../../src/net/crypto.js'
import type { Admitted, Established } from '../../../src/net/handshake.js'
import { ControlLink } from '../../../src/net/link.js'
import type { DataEngine } from '../../../src/ports.js'
import { seededSigner } from '../protocol/support.js'
import { cleanUp, dialler, dialTo, letIn, rejection, serveAccept } from './handshake-support.js'

afterEach(() => cleanUp())

const id = 'ab'.repeat(16)
const engine = { tuneControl: () => {} } as unknown as DataEngine
const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await sleep(2)
}
const joined = (request: number): Frame => ({ type: 'joined', request, code: null, text: '' })
const big: Frame = { type: 'status', json: 'x'.repeat(400 * 1024) }

class End {
  readonly got: Frame[] = []
  readonly broken: string[] = []
  readonly closings: (string | null)[] = []
  readonly link: ControlLink
  #raw: Socket | undefined

  constructor(established: Established) {
    this.watch(established)
    this.link = new ControlLink(established, {
      onFrame: (frame) => this.got.push(frame),
      onClose: (code) => this.closings.push(code),
      onBroken: (code) => this.broken.push(code),
    })
  }

  /** The present connection is this one. */
  watch(established: Established): void {
    established.tune((raw) => {
      this.#raw = raw
    })
  }

  cut(): void {
    this.#raw?.resetAndDestroy()
  }

  get requests(): number[] {
    return this.got.flatMap((frame) => (frame.type === 'joined' ? [frame.request] : []))
  }
}

/** Two ends, and the means to give them another connection. */
async function lasting() {
  const server = await serveAccept()
  const open = new LastingLinks()
  const dialled = dialTo(server.address, { link: { id } })
  const accepted = new End(await letIn(await server.next()))
  const ours = new End(await dialled)
  const told: (string | undefined)[] = []
  open.add(
    accepted.link,
    { peer: { nodeId: dialler.nodeId, incarnation: 1 } } as Established,
    engine,
    (text) => told.push(text),
  )
  const dialAgain = (change: object = {}) =>
    dialTo(server.address, { link: { id, heard: () => ours.link.pause(), ...change } })
  const resume = async (): Promise<void> => {
    const again = dialAgain()
    await open.resume((await server.next()) as Admitted)
    const established = await again
    ours.watch(established)
    ours.link.goOn(established)
  }
  return { ours, accepted, open, told, server, dialAgain, resume }
}

describe('a link whose connection is reset', () => {
  it('brings everything once and in order, both ways', async () => {
    const { ours, accepted, told, resume } = await lasting()
    let sent = 0
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 150; i++) {
        ours.link.send(joined(++sent))
        accepted.link.send(joined(sent))
      }
      ours.link.send(big)
      // Some of it is on its way.
      await sleep(round)
      ours.cut()
      await until(() => ours.link.isBroken)
      ours.link.send(joined(++sent))
      accepted.link.send(joined(sent))
      await resume()
    }
    const all = Array.from({ length: sent }, (_, i) => i + 1)
    await until(() => ours.requests.length >= sent && accepted.requests.length >= sent)
    expect(ours.requests).toEqual(all)
    expect(accepted.requests).toEqual(all)
    expect([ours.closings, accepted.closings]).toEqual([[], []])
    expect(ours.broken.length).toBe(5)
    expect(told.filter((text) => text === undefined).length).toBe(5)
  })

  it('says what was left to say when it is closed meanwhile', async () => {
    const { ours, accepted, resume } = await lasting()
    ours.cut()
    await until(() => ours.link.isBroken && accepted.link.isBroken)
    accepted.link.send(joined(1))
    const closed = accepted.link.close()
    await resume()
    await closed
    await until(() => ours.got.length > 0)
    expect(ours.requests).toEqual([1])
  })

  it('and is closed ends when nobody comes', async () => {
    const { ours, accepted } = await lasting()
    ours.cut()
    await until(() => ours.link.isBroken && accepted.link.isBroken)
    accepted.link.send(joined(1))
    await accepted.link.close()
    expect([accepted.link.isOpen, accepted.link.isBroken]).toEqual([false, false])
    ours.link.giveUp('ERR_FR_NODE_LOST', 'enough')
    await ours.link.ended
    await until(() => ours.closings.length > 0)
    expect([ours.closings, accepted.closings]).toEqual([['ERR_FR_NODE_LOST'], [null]])
  })

  it('keeps a bounded number of bytes', async () => {
    const { ours } = await lasting()
    ours.cut()
    await until(() => ours.link.isBroken)
    let sent = 0
    while (ours.link.send(big)) sent++
    expect(sent).toBe(Math.floor(limits.linkQueueBytes / (400 * 1024)))
    await until(() => ours.closings.length > 0)
    expect(ours.closings).toEqual(['ERR_FR_PEER_STALLED'])
  })
})

describe('who names a link', () => {
  const strangers: [string, (heard: () => number) => Parameters<typeof dialTo>[1]][] = [
    ['that is not known', (heard) => ({ link: { id: 'cd'.repeat(16), heard } })],
    [
      'of another node',
      (heard) => ({ link: { id, heard }, self: { ...selfOf(seededSigner(9)), incarnation: 1 } }),
    ],
    ['with a number that cannot be', () => ({ link: { id, heard: () => 7 } })],
  ]
  it.each(strangers)('%s is refused by name, and the link stays', async (_, change) => {
    const { ours, accepted, open, server } = await lasting()
    const again = dialTo(
      server.address,
      change(() => 0),
    )
    const failed = rejection(again, 'ERR_FR_NO_TRANSFER')
    await rejection(open.resume((await server.next()) as Admitted), 'ERR_FR_NO_TRANSFER')
    expect((await failed).message).toMatch(/the peer says: the link is not known here/)
    ours.link.send(joined(1))
    await until(() => accepted.got.length > 0)
    expect([ours.broken, accepted.broken]).toEqual([[], []])
  })

  it('twice at once goes on over the last connection', async () => {
    const { ours, accepted, open, server, dialAgain } = await lasting()
    ours.link.send(joined(1))
    await until(() => accepted.got.length > 0)
    const first = dialAgain()
    const early = (await server.next()) as Admitted
    const second = dialAgain()
    const late = (await server.next()) as Admitted
    const both = [open.resume(early), open.resume(late)]
    const [lost, established] = await Promise.all([first, second])
    await Promise.all(both)
    lost.close()
    ours.link.goOn(established)
    ours.link.send(joined(2))
    await until(() => accepted.got.length > 1)
    expect(accepted.requests).toEqual([1, 2])
  })

  it('and says that it has heard more than was sent breaks the rules', async () => {
    const { ours, accepted } = await lasting()
    ours.link.send({ type: 'heard', frames: 3 })
    await until(() => accepted.closings.length > 0)
    expect(accepted.closings).toEqual(['ERR_FR_PROTOCOL'])
  })
})
