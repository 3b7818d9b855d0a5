/**
 * A door to a node: connections through it work until one has carried `holdAt` bytes, which then
 * waits until the door opens. Control links never carry that much, so the node lives, and a push to
 * it cannot end before the test opens the door.
 */
import type { Socket } from 'node:net'
import { tlsFirstByte } from '../../src/net/tls.js'
import { confirmBytes, ticketBytes } from '../../src/protocol/ticket.js'
import { proxy, type Through } from './proxy.js'

export interface Door extends Through {
  /** True when the node waits for bytes that were sent. */
  readonly isHolding: () => boolean
  /** Lets each waiting connection carry one more chunk. */
  sip(): void
  open(): void
  /** Breaks all connections through it, at both ends. */
  cut(): void
  /** Breaks them at the dialler's end; the other end stays open and silent. */
  cutDialler(): void
}

export async function holdingDoor(address: string | (() => string), holdAt: number): Promise<Door> {
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
  /** True when an offer waits behind the door. */
  readonly isHolding: () => boolean
  open(): void
}

/**
 * A door behind which offers wait: a sender connects and proves its key, but its control link
 * passes only once the door is open. Other connections always pass.
 */
export async function offerDoor(address: string): Promise<OfferDoor> {
  const held = new Set<() => void>()
  let isOpen = false
  const passed = await proxy(address, (from, to) => {
    let waiting = Buffer.alloc(0)
    // After ClientHello: the dialler's change of cipher, its Finished and its hello.
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
        // Questions are short, offers are not.
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
  /** True when a connection is held back. */
  readonly isHolding: () => boolean
  /** Lets it pass; resolves once the node has the dialler's whole introduction. */
  release(): Promise<void>
  /** Breaks all links; none is let through before `release`. */
  cutLinks(): void
}

/** The identity in a ticket, once it has arrived. TLS hides that of links. */
export function callerOf(start: Buffer): { channel: 'data' | 'link'; from?: number } | null {
  if (start[0] === tlsFirstByte) return { channel: 'link' }
  if (start.length < ticketBytes) return null
  return { channel: 'data', from: start.readUInt32LE(4) }
}

export type RecordKind = 'payload' | 'hole' | 'digests' | 'end'

const recordKinds: readonly RecordKind[] = ['payload', 'hole', 'digests', 'end']

/**
 * Finds the payload of records in the chunks of one connection to a node, as views of them: after
 * the ticket and its confirmation on a data connection, nothing on others. With 'check' it finds
 * the first byte of the check in every record header instead. `told` is called for passing payload,
 * and for each other record with its range.
 */
export function payloadFinder(
  wanted: 'payload' | 'check' = 'payload',
  told: (kind: RecordKind, bytes: number) => void = () => {},
  openingBytes = ticketBytes + confirmBytes,
): (chunk: Buffer) => Buffer[] {
  let opening = openingBytes
  let isData: boolean | undefined
  let head = Buffer.alloc(0)
  let body = 0
  let isPayload = false
  return (chunk) => {
    const found: Buffer[] = []
    isData ??= chunk[0] !== tlsFirstByte
    const skipped = Math.min(opening, chunk.length)
    opening -= skipped
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
 * Finds the last byte of every TLS record of a link, which is part of its tag, as views of the
 * chunks of one connection to a node. Nothing on data connections.
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
 * A door that passes everything except the first data connection of one sender: not even its ticket
 * passes before `release`.
 */
export async function lateDoor(address: string, sender: number): Promise<LateDoor> {
  const links: Socket[] = []
  let late: { hello: Buffer; to: Socket } | undefined
  let isCut = false
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
      if (caller.channel === 'link') {
        if (isCut) return void from.resetAndDestroy()
        links.push(from)
      }
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
        isCut = false
        // The ticket is the dialler's whole introduction.
        late?.to.write(late.hello, () => resolve())
      }),
    cutLinks: () => {
      isCut = true
      for (const socket of links.splice(0)) socket.resetAndDestroy()
    },
  }
}
