/**
 * A door whose connections break when a test says so, or stand still and break then, or are
 * forgotten.
 */
import type { Socket } from 'node:net'
import { callerOf } from './door.js'
import { proxy } from './proxy.js'

type Kind = 'data' | 'link'

interface Passing {
  readonly kind: Kind
  readonly from: number | undefined
  readonly ends: readonly [Socket, Socket]
}

export interface CutDoor {
  readonly address: string
  /** Connections that have shown what they are. */
  open(kind: Kind): readonly Passing[]
  /** Nothing passes any more, and new connections get no answer. */
  hold(): void
  /** Nothing passes any more on what is open, and nothing breaks: a way that forgets. */
  forget(): void
  /** Data connections of this member break, and so does each new one; of nobody any more. */
  bar(from: number | undefined): void
  /** What was held breaks, and everything passes again. */
  release(): void
  close(): void
}

export async function cutDoor(address: string): Promise<CutDoor> {
  const all = new Set<Passing>()
  const strangers = new Set<[Socket, Socket]>()
  let isHeld = false
  let barred: number | undefined
  const isBarred = ({ kind, from }: Passing): boolean => kind === 'data' && from === barred
  const forgotten = new WeakSet<Socket>()
  const passes = (from: Socket): boolean => !isHeld && !forgotten.has(from)
  const join = (from: Socket, to: Socket): void => {
    const ends: [Socket, Socket] = [from, to]
    let start: Buffer | undefined = Buffer.alloc(0)
    strangers.add(ends)
    from.on('data', (chunk: Buffer) => {
      if (start !== undefined) {
        start = Buffer.concat([start, chunk])
        const caller = callerOf(start)
        if (caller !== null) {
          strangers.delete(ends)
          const passing = { kind: caller.channel, from: caller.from, ends } as const
          if (barred !== undefined && isBarred(passing)) return cut(ends)
          all.add(passing)
          from.on('close', () => all.delete(passing))
          start = undefined
        }
      }
      if (passes(from) && !to.write(chunk)) from.pause()
    })
    to.on('drain', () => from.resume())
    from.on('close', () => strangers.delete(ends))
  }
  const back = (to: Socket, from: Socket): void => {
    to.on('data', (chunk: Buffer) => {
      if (passes(from)) from.write(chunk)
    })
  }
  const passed = await proxy(address, join, 0, back)
  return {
    ...passed,
    open: (kind) => [...all].filter((passing) => passing.kind === kind),
    hold: () => {
      isHeld = true
    },
    forget: () => {
      for (const [from] of [...strangers, ...[...all].map(({ ends }) => ends)]) forgotten.add(from)
    },
    bar: (from) => {
      barred = from
      if (from !== undefined) for (const one of [...all]) if (isBarred(one)) cut(one.ends)
    },
    release: () => {
      isHeld = false
      for (const ends of [...strangers, ...[...all].map((passing) => passing.ends)]) cut(ends)
    },
  }
}

export function cut(ends: readonly [Socket, Socket]): void {
  for (const socket of ends) socket.resetAndDestroy()
}
