/** The lab itself: links carry what they should, speeds change, cables are cut, nothing is left. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { cleanUp, gone, Lab, type LabOptions, wireFactor } from '../../bench/lab/lab.mjs'
import { type Sample, watchWire } from './wire.js'

const stream = path.resolve('test/net/stream.mjs')
const labs: Lab[] = []

function makeLab(options: LabOptions): Lab {
  const lab = Lab.create(options)
  labs.push(lab)
  return lab
}

afterEach(() => {
  for (const lab of labs.splice(0)) lab.close()
})

async function untilOutput(child: ReturnType<Lab['spawn']>, wanted: string): Promise<string> {
  let text = ''
  const output = child.stdout
  if (output === null) throw new Error('no output')
  for await (const chunk of output) {
    text += String(chunk)
    if (text.includes(wanted)) return text
  }
  throw new Error(`ended without ${wanted}: ${text}`)
}

/** Starts to send this much from one host to another; `ended` resolves to what has arrived. */
async function flow(lab: Lab, from: number, to: number, bytes: number) {
  const sink = lab.spawn(to, process.execPath, [stream, 'sink', '5000'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines: string[] = []
  sink.stdout?.setEncoding('utf8').on('data', (text: string) => lines.push(text))
  while (!lines.join('').includes('listening')) await once(sink.stdout ?? sink, 'data')
  const args = [stream, 'send', lab.address(to), '5000', String(bytes)]
  const sender = lab.spawn(from, process.execPath, args, { stdio: 'inherit' })
  return {
    ended: once(sink, 'close').then(() => lines.join('').trim().split('\n').at(-1) ?? ''),
    stop: () => {
      for (const process of [sender, sink]) process.kill('SIGKILL')
    },
  }
}

/** Mbit/s of the best half second: a machine that is held up makes others slower. */
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

/** A flow reaches the rate of the slower link, in half a second of ten, and no more. */
async function carries(lab: Lab, from: number, to: number, mbit: number): Promise<void> {
  // Of a packet with several segments one header is seen.
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
  test('counts the bytes of every host', async () => {
    const lab = makeLab({ hosts: [host(100), host(100), host(100)] })
    const { ended } = await flow(lab, 0, 2, 4e6)
    expect(JSON.parse(await ended)).toEqual({ bytes: 4e6 })
    const [sender, idle, receiver] = lab.counters()
    expect(sender?.sent).toBeGreaterThan(4e6)
    expect(receiver?.received).toBeGreaterThan(4e6)
    expect(idle?.sent).toBeLessThan(1e5)
  })

  test('a cut link carries nothing, a mended one does again', async () => {
    const lab = makeLab({ hosts: [host(100), host(100)] })
    lab.cut(1)
    // Port 1 refuses at once where there is a way to it; where there is none, nothing answers.
    const knock = async (): Promise<string> => {
      const child = lab.spawn(0, 'bash', ['-c', `: </dev/tcp/${lab.address(1)}/1`], {
        stdio: ['ignore', 'ignore', 'pipe'],
        timeout: 1_000,
      })
      let text = ''
      child.stderr?.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
      await once(child, 'close')
      return text
    }
    expect(await knock()).not.toMatch(/refused/)
    lab.mend(1)
    // The sender remembers for a moment that nobody answered.
    const end = Date.now() + 10_000
    let answer = ''
    while (!answer.includes('refused') && Date.now() < end) answer = await knock()
    expect(answer).toMatch(/refused/)
  })

  test('leaves nothing behind when it is closed, nor what ran in it', async () => {
    const lab = makeLab({ hosts: [host(100), host(100)] })
    const names = lab.namespaces
    const sleeper = lab.spawn(1, 'sleep', ['1000'], { stdio: 'ignore' })
    const ended = once(sleeper, 'exit')
    lab.close()
    expect((await ended)[1]).toBe('SIGKILL')
    expect(await gone(names)).toBe(true)
    expect(() => lab.close()).not.toThrow()
  })

  test.each([
    ['throws', "setTimeout(() => { throw new Error('planted') }, 10)", 1],
    ['is told to end', "process.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 1000)", 143],
  ])('is taken down when its process %s', async (_, ending, status) => {
    const module = path.resolve('bench/lab/lab.mjs')
    const program = `
      import { Lab } from ${JSON.stringify(module)}
      const host = { upMbit: 10, downMbit: 10 }
      const lab = Lab.create({ hosts: [host, host] })
      console.log(JSON.stringify(lab.namespaces))
      ${ending}`
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const exited = once(child, 'exit')
    const names = JSON.parse(await untilOutput(child, ']')) as string[]
    expect((await exited)[0]).toBe(status)
    expect(names).toHaveLength(3)
    expect(await gone(names)).toBe(true)
  })

  test('a killed process leaves namespaces, and cleanUp removes exactly those', async () => {
    const mine = makeLab({ hosts: [host(10), host(10)] })
    const module = path.resolve('bench/lab/lab.mjs')
    const program = `
      import { Lab } from ${JSON.stringify(module)}
      const lab = Lab.create({ hosts: [{ upMbit: 10, downMbit: 10 }] })
      console.log(JSON.stringify(lab.namespaces))
      setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const exited = once(child, 'exit')
    const names = JSON.parse(await untilOutput(child, ']')) as string[]
    child.kill('SIGKILL')
    await exited
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
