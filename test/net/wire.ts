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
  const file = `/sys/class/net/p${host}/statistics/${counter}`
  const program = path.resolve('test/net/sampler.mjs')
  const bridge = lab.namespaces[0] ?? ''
  const args = ['netns', 'exec', bridge, process.execPath, program, file, '2']
  const sampler = new Running('ip', args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const samples: Sample[] = []
  const lines = createInterface({ input: sampler.child.stdout as Readable })
  lines.on('line', (line) => {
    const [at = Number.NaN, bytes = Number.NaN, stolen = Number.NaN] = line.split(' ').map(Number)
    samples.push({ at, bytes, stolen })
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
