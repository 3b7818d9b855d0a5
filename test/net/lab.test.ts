/** The lab itself: links have their rates, speeds change, cables are cut, nothing is left. */
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { cleanUp, gone, Lab, wireFactor } from '../../bench/lab/lab.mjs'
import { Running } from '../../bench/running.mjs'
import { type Sample, watchWire } from './wire.js'

const stream = path.resolve('test/net/stream.mjs')
const labs: Lab[] = []

function makeLab(options: Parameters<typeof Lab.create>[0]): Lab {
  const lab = Lab.create(options)
  labs.push(lab)
  return lab
}

afterEach(() => {
  for (const lab of labs.splice(0)) lab.close()
})

/** Starts to send this many bytes between two hosts; `ended` resolves to the bytes that arrived. */
async function flow(lab: Lab, from: number, to: number, bytes: number) {
  const sink = lab.start(to, process.execPath, [stream, 'sink', '5000'])
  await sink.ready('sink')
  const args = [stream, 'send', lab.address(to), '5000', String(bytes)]
  const sender = lab.start(from, process.execPath, args)
  return {
    ended: sink.ended.then(() => sink.lines.at(-1)),
    stop: () => {
      for (const running of [sender, sink]) running.kill()
    },
  }
}

/** A process that makes a lab, prints its namespaces and ends as `ending` says. */
async function another(ending: string): Promise<{ running: Running; names: string[] }> {
  const program = `
    import { Lab } from ${JSON.stringify(path.resolve('bench/lab/lab.mjs'))}
    const host = { upMbit: 10, downMbit: 10 }
    const lab = Lab.create({ hosts: [host, host] })
    console.log(JSON.stringify(lab.namespaces))
    ${ending}`
  const running = new Running(process.execPath, ['--input-type=module', '-e', program])
  return { running, names: await running.ready('lab') }
}

/** Mbit/s of the best half second: a busy machine slows others. */
function bestMbit(samples: readonly Sample[]): number {
  const windowNs = 0.5e9
  let best = 0
  let start = 0
  for (const last of samples) {
    while (last.at - (samples[start + 1]?.at ?? last.at) >= windowNs) start++
    const first = samples[start] as Sample
    const ns = last.at - first.at
    if (ns >= windowNs) best = Math.max(best, ((last.bytes - first.bytes) * 8e3) / ns)
  }
  return best
}

/** A flow reaches the rate of the slower link in half a second of ten, and never exceeds it. */
async function carries(lab: Lab, from: number, to: number, mbit: number): Promise<void> {
  // A packet with several segments counts one header.
  const least = (mbit * 0.98) / wireFactor
  const wire = await watchWire(lab, 'to', to)
  const { ended, stop } = await flow(lab, from, to, (mbit * 1e6 * 10) / 8)
  let isOver = false
  ended.then(() => {
    isOver = true
  })
  while (!isOver && bestMbit(wire.samples) < least) await sleep(100)
  stop()
  await ended
  await wire.end()
  const seen = bestMbit(wire.samples)
  expect(seen).toBeLessThan(mbit * 1.05)
  expect(seen).toBeGreaterThan(least)
}

const host = (upMbit: number, downMbit = upMbit) => ({ upMbit, downMbit })

describe.each(['fifo', 'fair'] as const)('a lab with %s uplinks', (queue) => {
  test('an uplink and a downlink carry their rate and no more', async () => {
    const lab = makeLab({ hosts: [host(50, 100), host(100, 100), host(100, 30)], queue })
    await carries(lab, 0, 1, 50)
    await carries(lab, 1, 2, 30)
  })

  test('a speed can be changed in place', async () => {
    const lab = makeLab({ hosts: [host(20), host(20)], queue })
    lab.setSpeed(0, { upMbit: 80 })
    lab.setSpeed(1, { downMbit: 40 })
    await carries(lab, 0, 1, 40)
    lab.setSpeed(1, { downMbit: 100 })
    await carries(lab, 0, 1, 80)
  })
})

describe('a lab', () => {
  test('a link between two sites carries its rate, and neighbours of a site theirs', async () => {
    const hosts = ['a', 'a', 'b', 'c'].map((site) => ({ ...host(100), site }))
    const lab = makeLab({ hosts, siteMbit: 40 })
    await carries(lab, 0, 3, 40)
    await carries(lab, 2, 1, 40)
    const before = lab.siteCounters()
    expect(before.map(({ from, to }) => `${from}${to}`)).toEqual(['ab', 'bc'])
    expect(before[1]?.forth).toBeGreaterThan(2e6)
    expect(before[0]?.back).toBeGreaterThan(2e6)
    await carries(lab, 0, 1, 100)
    // What is for a neighbour crosses nothing.
    expect((lab.siteCounters()[0]?.forth ?? 0) - (before[0]?.forth ?? 0)).toBeLessThan(1e6)
  })

  test('counts the bytes of every host', async () => {
    const lab = makeLab({ hosts: [host(100), host(100), host(100)] })
    const { ended } = await flow(lab, 0, 2, 4e6)
    expect(await ended).toEqual({ bytes: 4e6 })
    const [sender, idle, receiver] = lab.counters()
    expect(sender?.sent).toBeGreaterThan(4e6)
    expect(receiver?.received).toBeGreaterThan(4e6)
    expect(idle?.sent).toBeLessThan(1e5)
  })

  test('a cut link carries nothing, a mended one does again', async () => {
    const lab = makeLab({ hosts: [host(100), host(100)] })
    lab.cut(1)
    // Port 1 refuses at once if there is a route; without one nothing answers.
    const knock = async (): Promise<string> => {
      const script = `: </dev/tcp/${lab.address(1)}/1`
      const running = lab.start(0, 'timeout', ['1', 'bash', '-c', script])
      await running.ended
      return running.stderr
    }
    expect(await knock()).not.toMatch(/refused/)
    lab.mend(1)
    // The sender remembers briefly that nobody answered.
    const end = Date.now() + 10_000
    let answer = ''
    while (!answer.includes('refused') && Date.now() < end) answer = await knock()
    expect(answer).toMatch(/refused/)
  })

  test('leaves nothing behind when it is closed, nor what ran in it', async () => {
    const lab = makeLab({ hosts: [host(100), host(100)] })
    const names = lab.namespaces
    const sleeper = lab.start(1, 'sleep', ['1000'])
    lab.close()
    expect(await sleeper.ended).toBe('SIGKILL')
    expect(await gone(names)).toBe(true)
    expect(() => lab.close()).not.toThrow()
  })

  test.each([
    ['throws', "setTimeout(() => { throw new Error('planted') }, 10)", 1],
    ['is told to end', "process.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 1000)", 143],
  ])('is taken down when its process %s', async (_, ending, status) => {
    const { running, names } = await another(ending)
    expect(await running.ended).toBe(status)
    expect(names).toHaveLength(3)
    expect(await gone(names)).toBe(true)
  })

  test('a killed process leaves namespaces, and cleanUp removes exactly those', async () => {
    const mine = makeLab({ hosts: [host(10), host(10)] })
    const { running, names } = await another('setInterval(() => {}, 1000)')
    running.kill()
    await running.ended
    const removed = cleanUp()
    expect(removed).toEqual(expect.arrayContaining(names))
    expect(removed).not.toEqual(expect.arrayContaining(mine.namespaces.slice(0, 1)))
    expect(await gone(names)).toBe(true)
  })

  test.each([
    [{ hosts: [] }, /hosts/],
    [{ hosts: [host(1)], queue: 'red' as 'fifo' }, /queue/],
  ])('refuses %j', (options, text) => {
    expect(() => Lab.create(options)).toThrow(text)
  })
})
