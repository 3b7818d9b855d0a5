/** What passes on a cable of the lab, read by a process of its own at the bridge's end of it. */
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import type { Lab } from '../../bench/lab/lab.mjs'
import { Running } from '../../bench/running.mjs'

export interface Sample {
  /** Of the monotonic clock, in ns. */
  readonly at: number
  /** Since the lab was made. A packet that carries several segments counts one header. */
  readonly bytes: number
  /** Ticks of 10 ms that a hypervisor took from this machine since it started. */
  readonly stolen: number
}

export interface Wire {
  /** Grows until the end. */
  readonly samples: readonly Sample[]
  end(): Promise<void>
}

/** `from`: what the host sends; `to`: what reaches it. Both after the shaping. */
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
