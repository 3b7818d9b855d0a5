import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { FrError } from '../../../src/base/errors.js'
import { limits } from '../../../src/base/limits.js'
import type { Frame } from '../../../src/control/messages/types.js'
import type { Established } from '../../../src/net/established.js'
import { ControlLink } from '../../../src/net/link.js'
import { encodeBody, encodeFrame, FrameReader, wireBytes } from '../../../src/protocol/frames.js'
import fc from '../../support/property.js'
import { progressOf } from '../control/plans.js'
import { anyFrame } from '../protocol/frame-support.js'
import { cleanUp, keep, pair } from './handshake-support.js'

afterEach(() => {
  cleanUp()
})

/** A link that remembers what its owner is told. */
class Listener {
  readonly frames: Frame[] = []
  readonly closings: [code: string | null, text: string][] = []
  readonly link: ControlLink
  refuse: ((frame: Frame) => void) | undefined

  constructor(established: Established) {
    this.link = new ControlLink(established, {
      onFrame: (frame) => {
        this.frames.push(frame)
        this.refuse?.(frame)
      },
      onClose: (code, text) => this.closings.push([code, text]),
    })
  }

  get code(): string | null | undefined {
    return this.closings[0]?.[0]
  }
}

async function links(): Promise<[Listener, Listener]> {
  const [ours, theirs] = await pair()
  return [new Listener(ours), new Listener(theirs)]
}

/** A link and a peer that is only a socket, with the means to speak the protocol. */
async function linkToPuppet(): Promise<{
  listener: Listener
  socket: Socket
  raw: Socket
}> {
  const [ours, theirs] = await pair()
  let raw: Socket | undefined
  theirs.tune((socket) => {
    raw = socket
  })
  return { listener: new Listener(ours), socket: keep(theirs.detach()), raw: raw as Socket }
}

const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await sleep(2)
}
const progress = (landedBytes: number): Frame => progressOf({ landedBytes })
const big: Frame = { type: 'status', json: 'x'.repeat(400 * 1024) }

describe('a link', () => {
  it('carries every frame, both ways, in order', async () => {
    const [ours, theirs] = await links()
    const frames = fc.sample(
      anyFrame.filter(({ type }) => type !== 'progress' && type !== 'backlog'),
      60,
    )
    for (const frame of frames) {
      ours.link.send(frame)
      theirs.link.send(frame)
    }
    await until(() => ours.frames.length + theirs.frames.length === 120)
    expect(theirs.frames).toEqual(frames)
    expect(ours.frames).toEqual(frames)
    const bytes = frames.reduce((sum, frame) => sum + wireBytes(encodeBody(frame)), 0)
    expect([ours.link.sentBytes, ours.link.queuedBytes]).toEqual([bytes, 0])
    expect(ours.closings).toEqual([])
  })

  it('refuses misuse by TypeError and stays open', async () => {
    const [ours] = await links()
    const negative = { ...progress(0), landedBytes: -1 } as Frame
    expect(() => ours.link.send(negative)).toThrow(/not a counter/)
    expect(() => ours.link.send(negative)).toThrow(TypeError)
    expect(ours.link.isOpen).toBe(true)
  })
})

describe('progress', () => {
  it('not yet sent gives way to newer progress, in its place', async () => {
    const { listener, socket } = await linkToPuppet()
    const { link } = listener
    socket.pause()
    // Fill the kernel's buffers, so that frames begin to wait.
    while (link.queuedBytes < 2 * 1024 * 1024) {
      link.send(big)
      await sleep(1)
    }
    link.send(progress(1))
    const queued = link.queuedBytes
    for (let landed = 2; landed <= 1000; landed += 1) link.send(progress(landed))
    expect(link.queuedBytes).toBe(queued)

    let received = 0
    socket.on('data', (chunk: Buffer) => {
      received += chunk.length
    })
    socket.resume()
    await until(() => link.queuedBytes === 0 && received === link.sentBytes)
  })

  it('arrives as the newest value, before what was sent after the first', async () => {
    const [ours, theirs] = await links()
    ours.link.send(big)
    ours.link.send(progress(1))
    ours.link.send({ type: 'beat' })
    ours.link.send(progress(2))
    ours.link.send(progress(3))
    await until(() => theirs.frames.length === 3)
    ours.link.send(progress(4))
    await until(() => theirs.frames.length === 4)
    const seen = theirs.frames.slice(1)
    expect(seen).toEqual([progress(3), { type: 'beat' }, progress(4)])
  })
})

describe('closing', () => {
  it('sends what is queued, tells each side once, and resolves', async () => {
    const [ours, theirs] = await links()
    ours.link.send(big)
    ours.link.send(big)
    ours.link.send({ type: 'finish' })
    const closed = ours.link.close()
    expect(ours.link.isOpen).toBe(false)
    expect(ours.link.send({ type: 'beat' })).toBe(false)
    expect(ours.closings).toEqual([])
    await Promise.all([closed, ours.link.close()])
    ours.link.destroy()
    await until(() => theirs.closings.length > 0)
    await sleep(20)
    expect(theirs.frames.map((frame) => frame.type)).toEqual(['status', 'status', 'finish'])
    expect(ours.closings).toEqual([[null, 'closed by this side']])
    expect(theirs.closings).toEqual([['ERR_FR_NODE_LOST', 'the peer closed its control link']])
  })

  it('hears nothing more, but does not reset what the peer still says', async () => {
    const { listener, socket } = await linkToPuppet()
    listener.link.send({ type: 'finish' })
    const closed = listener.link.close()
    let received = 0
    socket.on('data', (chunk: Buffer) => {
      received += chunk.length
    })
    for (let count = 0; count < 20; count += 1) socket.write(encodeFrame(encodeBody(big)))
    socket.resume()
    await closed
    expect(listener.frames).toEqual([])
    expect(received).toBe(wireBytes(encodeBody({ type: 'finish' })))
  })

  it('does not wait for ever for a peer that stays', async () => {
    const [ours, theirs] = await pair()
    const listener = new Listener(ours)
    const socket = keep(theirs.detach())
    socket.allowHalfOpen = true
    socket.resume()
    const started = performance.now()
    await listener.link.close()
    const took = performance.now() - started
    expect(took).toBeGreaterThan(limits.lingerMs * 0.8)
    expect(took).toBeLessThan(limits.lingerMs + 10_000)
  })

  it('at once drops what is queued', async () => {
    const [ours, theirs] = await links()
    ours.link.destroy()
    ours.link.destroy()
    await ours.link.close()
    await until(() => theirs.closings.length > 0)
    expect(ours.closings).toEqual([[null, 'closed by this side']])
    expect(theirs.code).toBe('ERR_FR_NODE_LOST')
  })

  it('in a frame handler stops the frames behind it', async () => {
    const { listener, socket } = await linkToPuppet()
    listener.refuse = () => listener.link.destroy()
    const [first, second] = [1, 2].map((landed) => encodeFrame(encodeBody(progress(landed))))
    socket.write(Buffer.concat([first as Uint8Array, second as Uint8Array]))
    await until(() => listener.closings.length > 0)
    expect(listener.frames).toEqual([progress(1)])
  })

  it('by an FrError of the frame handler names its code', async () => {
    const { listener, socket } = await linkToPuppet()
    listener.refuse = () => {
      throw new FrError('ERR_FR_PROTOCOL', 'not now')
    }
    socket.write(encodeFrame(encodeBody({ type: 'beat' })))
    await until(() => listener.closings.length > 0)
    expect(listener.closings).toEqual([['ERR_FR_PROTOCOL', 'not now']])
  })
})

describe('a peer that', () => {
  it('leaves in the middle of a frame is lost by name', async () => {
    const { listener, socket } = await linkToPuppet()
    socket.end(encodeFrame(encodeBody({ type: 'beat' })).subarray(0, 6))
    await until(() => listener.closings.length > 0)
    expect(listener.closings[0]?.[1]).toMatch(/in the middle of a frame/)
    expect(listener.code).toBe('ERR_FR_NODE_LOST')
  })

  it('resets is lost by name', async () => {
    const { listener, raw } = await linkToPuppet()
    raw.resetAndDestroy()
    await until(() => listener.closings.length > 0)
    expect(listener.closings).toEqual([['ERR_FR_NODE_LOST', expect.stringContaining('ECONNRESET')]])
  })

  it.each<[string, Uint8Array]>([
    ['sends garbage', Buffer.alloc(100, 0x41)],
    ['announces too much', Buffer.from('ffffff7f', 'hex')],
    ['announces nothing', Buffer.from('00000000', 'hex')],
  ])('%s is closed with ERR_FR_PROTOCOL', async (_, bytes) => {
    const { listener, socket } = await linkToPuppet()
    socket.write(bytes)
    await until(() => listener.closings.length > 0)
    expect(listener.code).toBe('ERR_FR_PROTOCOL')
    await until(() => socket.resume().destroyed)
  })

  it('leaves more than linkQueueBytes unread is closed with ERR_FR_PEER_STALLED', async () => {
    const { listener, socket } = await linkToPuppet()
    socket.pause()
    let sent = 0
    while (listener.link.send(big)) sent += 1
    expect(sent * wireBytes(encodeBody(big))).toBeGreaterThan(limits.linkQueueBytes - 500_000)
    expect(listener.closings).toEqual([])
    await Promise.resolve()
    expect(listener.closings).toEqual([
      ['ERR_FR_PEER_STALLED', expect.stringContaining(String(limits.linkQueueBytes))],
    ])
  })

  it('breaks a rule is told why, where there is a word for it', async () => {
    const [ours, theirs] = await pair()
    const closings: unknown[] = []
    const link = new ControlLink(ours, {
      onFrame: () => {},
      onClose: (code) => closings.push(code),
      lastWord: (code, text) => ({ type: 'failed', code, text }),
    })
    const heard: Frame[] = []
    const reader = new FrameReader()
    const socket = keep(theirs.detach())
    socket.on('data', (chunk: Buffer) => reader.push(chunk, (frame) => heard.push(frame)))
    link.send({ type: 'accept', have: [] })
    socket.write(Buffer.alloc(64, 0x41))
    socket.resume()
    await until(() => closings.length > 0 && heard.length === 2)
    expect(closings).toEqual(['ERR_FR_PROTOCOL'])
    expect(heard[1]).toMatchObject({ type: 'failed', code: 'ERR_FR_PROTOCOL' })
    expect(link.send({ type: 'beat' })).toBe(false)
    await until(() => socket.destroyed)
  })

  it('floods is read in order, without a queue', async () => {
    const { listener, socket } = await linkToPuppet()
    const count = 5000
    for (let landed = 0; landed < count; landed += 1) {
      if (!socket.write(encodeFrame(encodeBody(progress(landed))))) await sleep(0)
    }
    await until(() => listener.frames.length === count)
    expect(
      listener.frames.every((frame, at) => (frame as { landedBytes: number }).landedBytes === at),
    ).toBe(true)
  })
})
