/**
 * A door to a node: what is dialled through it arrives, until a connection has carried `holdAt`
 * bytes; then it waits until the door is opened. Control links never carry so much, so the node
 * lives, and a push to it cannot end before the test says so.
 */
import type { Socket } from 'node:net'
import { tlsFirstByte } from '../../src/net/tls.js'
import { confirmBytes, ticketBytes } from '../../src/protocol/ticket.js'
import { proxy, type Through } from './proxy.js'

export interface Door extends Through {
  /** What it leads to waits for bytes that were sent. */
  readonly isHolding: () => boolean
  /** Lets each connection that waits carry one chunk more. */
  sip(): void
  open(): void
  /** Breaks what passes through it now, at both ends. */
  cut(): void
  /** Breaks it at the end that dialled; at the other it stays open and nothing comes any more. */
  cutDialler(): void
}

export async function holdingDoor(address: string, holdAt: number): Promise<Door> {
  const held = new Set<Socket>()
  const passing = new Set<readonly [Socket, Socket]>()
  let isOpen = false
  const passed = await proxy(address, (from, to) => {
    const pair = [from, to] as const
    passing.add(pair)
    from.on('close', () => passing.delete(pair))
    let seen = 0
    from.on('data', (chunk: Buffer) => {
      seen += chunk.length
      const hasRoom = to.write(chunk)
      if (!isOpen && seen >= holdAt) held.add(from.pause())
      else if (!hasRoom) from.pause()
    })
    to.on('drain', () => {
      if (!held.has(from)) from.resume()
    })
  })
  return {
    ...passed,
    isHolding: () => held.size > 0,
    sip: () => {
      const waiting = [...held]
      held.clear()
      for (const socket of waiting) socket.resume()
    },
    open: () => {
      isOpen = true
      for (const socket of held) socket.resume()
      held.clear()
    },
    cut: () => {
      for (const [from] of passing) from.resetAndDestroy()
    },
    cutDialler: () => {
      for (const [from, to] of passing) {
        from.removeAllListeners('close')
        from.removeAllListeners('end')
        to.unpipe(from)
        to.resume()
        from.resetAndDestroy()
      }
      held.clear()
    },
  }
}

export interface OfferDoor extends Through {
  /** An offer waits behind it. */
  readonly isHolding: () => boolean
  open(): void
}

/**
 * A door behind which offers wait: a sender connects and proves its key, and what it says on its
 * control link passes once the door is open. Other connections pass at any time.
 */
export async function offerDoor(address: string): Promise<OfferDoor> {
  const held = new Set<() => void>()
  let isOpen = false
  const passed = await proxy(address, (from, to) => {
    let waiting = Buffer.alloc(0)
    // Behind ClientHello: the dialler's change of cipher, its Finished and its hello.
    let records = 4
    let isLink: boolean | undefined
    const pass = (bytes: number): void => {
      to.write(waiting.subarray(0, bytes))
      waiting = waiting.subarray(bytes)
    }
    from.on('data', (chunk: Buffer) => {
      waiting = Buffer.concat([waiting, chunk])
      isLink ??= chunk[0] === tlsFirstByte
      while (isLink && !isOpen && waiting.length > 0) {
        const bytes = waiting.length < 5 ? 5 : 5 + waiting.readUInt16BE(3)
        if (waiting.length < bytes) return
        // A question is short, an offer is not.
        if (records <= 0 && bytes > 100) break
        records--
        pass(bytes)
      }
      if (isOpen || !isLink) return pass(waiting.length)
      if (waiting.length === 0) return
      from.pause()
      held.add(() => {
        pass(waiting.length)
        from.resume()
      })
    })
  })
  return {
    ...passed,
    isHolding: () => held.size > 0,
    open: () => {
      isOpen = true
      for (const release of held) release()
      held.clear()
    },
  }
}

export interface LateDoor extends Through {
  /** A connection is held back. */
  readonly isHolding: () => boolean
  /** Lets it pass; resolves once the node knows all that its dialler says of itself. */
  release(): Promise<void>
  /** Breaks all links. */
  cutLinks(): void
}

/** Who a connection says it is, once its ticket is there. What links say is hidden in TLS. */
export function callerOf(start: Buffer): { channel: 'data' | 'link'; from?: number } | null {
  if (start[0] === tlsFirstByte) return { channel: 'link' }
  if (start.length < ticketBytes) return null
  return { channel: 'data', from: start.readUInt32LE(4) }
}

export type RecordKind = 'payload' | 'hole' | 'digests' | 'end'

const recordKinds: readonly RecordKind[] = ['payload', 'hole', 'digests', 'end']

/**
 * What is payload of records in the chunks of one connection to a node, as views of them: behind
 * the ticket and its confirmation, on a data connection. Nothing is on others. With 'check', the
 * first byte of the check in every record header instead. `told` hears of payload as it passes,
 * and of each other record with what it covers.
 */
export function payloadFinder(
  wanted: 'payload' | 'check' = 'payload',
  told: (kind: RecordKind, bytes: number) => void = () => {},
): (chunk: Buffer) => Buffer[] {
  let openingBytes = ticketBytes + confirmBytes
  let isData: boolean | undefined
  let head = Buffer.alloc(0)
  let body = 0
  let isPayload = false
  return (chunk) => {
    const found: Buffer[] = []
    isData ??= chunk[0] !== tlsFirstByte
    const skipped = Math.min(openingBytes, chunk.length)
    openingBytes -= skipped
    for (let at = skipped; at < chunk.length && isData; ) {
      if (body > 0) {
        const part = chunk.subarray(at, at + body)
        if (isPayload && wanted === 'payload') found.push(part)
        if (isPayload) told('payload', part.length)
        body -= part.length
        at += part.length
        continue
      }
      head = Buffer.concat([head, chunk.subarray(at, at + 1)])
      at += 1
      if (head.length === 29 && wanted === 'check') found.push(chunk.subarray(at - 1, at))
      if (head.length < 32) continue
      const kind = recordKinds[head.readUInt8(3) - 1] as RecordKind
      isPayload = kind === 'payload'
      if (!isPayload) told(kind, head.readUInt32LE(24))
      body = head.readUInt32LE(isPayload ? 24 : 12)
      head = Buffer.alloc(0)
    }
    return found
  }
}

/**
 * The last byte of every TLS record of a link, a part of its tag, as views of the chunks of one
 * connection to a node. Nothing on data connections.
 */
export function tagFinder(): (chunk: Buffer) => Buffer[] {
  let isLink: boolean | undefined
  let head = Buffer.alloc(0)
  let bodyBytes = 0
  return (chunk) => {
    const found: Buffer[] = []
    isLink ??= chunk[0] === tlsFirstByte
    for (let at = 0; at < chunk.length && isLink; ) {
      if (bodyBytes > 0) {
        const part = Math.min(bodyBytes, chunk.length - at)
        bodyBytes -= part
        at += part
        if (bodyBytes === 0) found.push(chunk.subarray(at - 1, at))
        continue
      }
      head = Buffer.concat([head, chunk.subarray(at, at + 1)])
      at += 1
      if (head.length < 5) continue
      bodyBytes = head.readUInt16BE(3)
      head = Buffer.alloc(0)
    }
    return found
  }
}

/**
 * A door that everything passes, but for the first data connection of one sender: not even its
 * ticket passes before it is released.
 */
export async function lateDoor(address: string, sender: number): Promise<LateDoor> {
  const links: Socket[] = []
  let late: { hello: Buffer; to: Socket } | undefined
  const passed = await proxy(address, (from, to) => {
    let hello: Buffer | undefined = Buffer.alloc(0)
    from.on('data', (chunk: Buffer) => {
      if (hello === undefined) {
        if (!to.write(chunk)) from.pause()
        return
      }
      hello = Buffer.concat([hello, chunk])
      const caller = callerOf(hello)
      if (caller === null) return
      if (caller.channel === 'link') links.push(from)
      if (caller.channel === 'data' && caller.from === sender && late === undefined)
        late = { hello, to }
      else to.write(hello)
      hello = undefined
    })
    to.on('drain', () => from.resume())
  })
  return {
    ...passed,
    isHolding: () => late !== undefined,
    release: () =>
      new Promise((resolve) => {
        // The ticket is all that its dialler says of itself.
        late?.to.write(late.hello, () => resolve())
      }),
    cutLinks: () => {
      for (const socket of links.splice(0)) socket.resetAndDestroy()
    },
  }
}
