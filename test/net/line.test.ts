/** The delay line: what it adds to a way, loses and mixes up, counted at its ends. */
import path from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { Lab } from '../../bench/lab/lab.mjs'
import type { Line } from '../../bench/lab/scenarios.mjs'

const stream = path.resolve('test/net/stream.mjs')
const labs: Lab[] = []

function makeLab(line: Line, upMbit = 100): Lab {
  const host = { upMbit, downMbit: 100 }
  const lab = Lab.create({ hosts: [host, host, host], line })
  labs.push(lab)
  return lab
}

afterEach(() => {
  for (const lab of labs.splice(0)) lab.close()
})

interface Pings {
  /** Sequence numbers of the answers, in their order. */
  readonly answered: readonly number[]
  readonly leastMs: number
}

/** Echo requests from host 0 to host 1. */
async function ping(lab: Lab, count: number, everyMs: number, more: string[] = []): Promise<Pings> {
  const every = String(everyMs / 1000)
  const args = ['-n', '-c', String(count), '-i', every, '-W', '1', ...more, lab.address(1)]
  const running = lab.start(0, 'ping', args)
  await running.ended
  const found = [...running.stdout.matchAll(/icmp_seq=(\d+) ttl=\d+ time=([\d.]+) ms/g)]
  return {
    answered: found.map(([, number]) => Number(number)),
    leastMs: Math.min(...found.map(([, , ms]) => Number(ms))),
  }
}

const inOrder = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b)

test('each way has its own delay, and adds little to it', async () => {
  const lab = makeLab({ forth: { delayMs: 30 }, back: { delayMs: 50 } })
  const { answered, leastMs } = await ping(lab, 20, 20)
  expect(answered).toHaveLength(20)
  expect(leastMs).toBeGreaterThanOrEqual(80)
  expect(leastMs).toBeLessThan(100)
  const { forth, back } = await lab.endLine()
  expect([forth.packets, back.packets]).toEqual([20, 20])
})

test('a packet is lost as often as was asked for, and every one is counted', async () => {
  const lab = makeLab({ forth: { delayMs: 1, lossPercent: 20 }, back: { delayMs: 1 }, seed: 7 })
  const { answered } = await ping(lab, 500, 1)
  const { forth, back } = await lab.endLine()
  expect(forth.packets + forth.lost).toBe(500)
  expect(back).toMatchObject({ packets: answered.length, lost: 0 })
  expect(answered).toHaveLength(forth.packets)
  // Five times the standard deviation of 500 packets.
  expect(Math.abs(forth.lost - 100)).toBeLessThan(45)
})

test('jitter keeps the order, unless reordering is asked for', async () => {
  const jittery = { forth: { delayMs: 5, jitterMs: 40 }, back: { delayMs: 0 } }
  const kept = await ping(makeLab(jittery), 100, 2)
  const mixed = await ping(makeLab({ ...jittery, reorders: true }), 100, 2)
  for (const { answered } of [kept, mixed]) expect(answered).toHaveLength(100)
  expect(kept.answered).toEqual(inOrder(kept.answered))
  expect(mixed.answered).not.toEqual(inOrder(mixed.answered))
})

test('what finds no room is dropped and counted', async () => {
  const lab = makeLab({ forth: { delayMs: 700 }, back: { delayMs: 0 }, queue: 50 })
  const { answered } = await ping(lab, 100, 1, ['-l', '100'])
  const { forth } = await lab.endLine()
  expect(forth.dropped).toBeGreaterThan(0)
  expect(forth.packets + forth.dropped).toBe(100)
  expect(answered).toHaveLength(forth.packets)
})

test('TCP gets everything through a line that delays, loses and mixes up', async () => {
  const way = { delayMs: 10, jitterMs: 2, lossPercent: 0.5 }
  const lab = makeLab({ forth: way, reorders: true })
  const sink = lab.start(2, process.execPath, [stream, 'sink', '5000'])
  await sink.ready('sink')
  lab.start(0, process.execPath, [stream, 'send', lab.address(2), '5000', '4000000'])
  await sink.ended
  expect(sink.lines.at(-1)).toEqual({ bytes: 4e6 })
  const { forth, back } = await lab.endLine()
  expect(forth.lost).toBeGreaterThan(0)
  expect(forth.bytes).toBeGreaterThan(4e6)
  expect(back.packets).toBeGreaterThan(0)
})

test('a host is cut off and plugged in again behind a line as well', async () => {
  const lab = makeLab({ forth: { delayMs: 1 } })
  lab.cut(1)
  expect((await ping(lab, 2, 10)).answered).toEqual([])
  lab.mend(1)
  expect((await ping(lab, 3, 10)).answered).not.toEqual([])
})
