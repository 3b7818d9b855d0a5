/** A control link that was dialled, and is silent: another connection takes its place. */
import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { Clock } from '../../../../src/session/driver/ports.js'
import { Redials } from '../../../../src/session/driver/redials.js'
import { PretendLink, PretendNet } from './pretend-ports.js'

const lost = { code: 'ERR_FR_NODE_LOST', text: 'reset' } as const

let nowMs: number
let timers: { readonly atMs: number; readonly run: () => void }[]
let net: PretendNet
let link: PretendLink
let wentOn: number
let redials: Redials

const clock: Clock = {
  watch: () => () => {},
  nowMs: () => nowMs,
  awakeMs: () => nowMs,
  at(atMs, run) {
    const timer = { atMs, run }
    timers.push(timer)
    return () => {
      timers = timers.filter((one) => one !== timer)
    }
  },
}

/** The time of the next timer comes. */
function ring(): void {
  const [next] = timers.splice(0, 1)
  if (next === undefined) throw new Error('nothing is waited for')
  nowMs = Math.max(nowMs, next.atMs)
  next.run()
}

/** What whoever dials asks, once the other side has shown that the way is good. */
function takesOver(): boolean | undefined {
  const { target } = net.dialled.at(-1) ?? {}
  return target?.channel === 'control' ? target.takesOver?.() : undefined
}

beforeEach(() => {
  nowMs = 0
  timers = []
  net = new PretendNet()
  link = new PretendLink({ onFrame: () => {}, onClose: vi.fn() })
  wentOn = 0
  redials = new Redials({ clock, net }, { channel: 'control', to: 1, address: 'n1:1' }, () => {
    wentOn++
  })
  redials.begin(link)
})

describe('a link that is doubted', () => {
  it('goes on over the connection that opens', () => {
    const goOn = vi.spyOn(link, 'goOn')
    redials.doubt()
    redials.doubt()
    ring()
    expect([takesOver(), timers.length]).toEqual([true, 0])
    expect(goOn).toHaveBeenCalledWith(net.answer())
    expect([wentOn, net.dialled.length]).toEqual([1, 1])
  })

  it('and speaks again keeps its connection', () => {
    redials.doubt()
    ring()
    redials.heard()
    expect(takesOver()).toBe(false)
    net.refuse(true)
    expect([wentOn, timers.length, link.isOpen]).toEqual([0, 0, true])
  })

  it('and speaks before it was dialled is not dialled', () => {
    redials.doubt()
    redials.heard()
    expect(timers).toEqual([])
  })

  it('is tried again and again, and not given up, whatever the other side says', () => {
    redials.doubt()
    for (let tries = 1; tries < 6; tries++) {
      ring()
      expect(net.dialled.length).toBe(tries)
      net.refuse(true)
    }
    expect(link.isOpen).toBe(true)
  })

  it('and breaks meanwhile has the connection that is being opened', () => {
    redials.doubt()
    ring()
    redials.broke(lost)
    expect([timers.length, takesOver()]).toEqual([0, true])
    net.answer()
    expect(wentOn).toBe(1)
  })

  it('is given up where its last connection is done without, and the other side refuses', () => {
    redials.doubt()
    ring()
    takesOver()
    net.refuse(true)
    expect(link.events.onClose).toHaveBeenCalledWith(
      'ERR_FR_NODE_LOST',
      'it was silent; dialled again: refused',
    )
  })

  it('and ends is not dialled any more, and has no other connection', () => {
    redials.doubt()
    ring()
    redials.end()
    expect([takesOver(), net.answer().isClosed, wentOn]).toEqual([false, true, 0])
  })
})
