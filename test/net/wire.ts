/** Bytes on a cable of the lab, counted by a separate process at the bridge's end. */
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import type { Lab } from '../../bench/lab/lab.mjs'
import { Running } from '../../bench/running.mjs'

export interface Sample {
  /** Nanoseconds of the monotonic clock. */
  readonly at: number
  /** Bytes since the lab was made. A packet with several segments counts one header. */
  readonly bytes: number
  /** The same of every file that is read. */
  readonly values: readonly number[]
  /** Ticks of 10 ms that a hypervisor took from this machine since it started. */
  readonly stolen: number
}

export interface Wire {
  /** Grows until the end. */
  readonly samples: readonly Sample[]
  end(): Promise<void>
}

/** `from` counts what the host sends, `to` what reaches it; both after shaping. */
export async function watchWire(lab: Lab, way: 'from' | 'to', host: number): Promise<Wire> {
  const counter = way === 'from' ? 'rx_bytes' : 'tx_bytes'
  return samplesOf(lab.namespaces[0] ?? '', [`/sys/class/net/p${host}/statistics/${counter}`], 2)
}

/** Counters that are read in a namespace every so often. */
export async function samplesOf(
  namespace: string,
  files: readonly string[],
  periodMs = 20,
): Promise<Wire> {
  const program = path.resolve('test/net/sampler.mjs')
  const read = [process.execPath, program, files.join(','), String(periodMs)]
  const args = ['netns', 'exec', namespace, ...read]
  const sampler = new Running('ip', args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const samples: Sample[] = []
  const lines = createInterface({ input: sampler.child.stdout as Readable })
  lines.on('line', (line) => {
    const [at, values = '', stolen] = line.split(' ')
    const numbers = values.split(',').map(Number)
    const bytes = numbers[0] ?? Number.NaN
    samples.push({ at: Number(at), bytes, values: numbers, stolen: Number(stolen) })
  })
  await once(lines, 'line')
  return {
    samples,
    end: async () => {
      sampler.kill()
      await sampler.ended
    },
  }
}
