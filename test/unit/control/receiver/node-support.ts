import { limits } from '../../../../src/base/limits.js'
import type { Frame } from '../../../../src/control/messages/types.js'
import type { NodeCommand, NodeEvent } from '../../../../src/control/receiver/events.js'
import { NodeMachine } from '../../../../src/control/receiver/machine.js'
import { memberOf, originId, planOf } from '../plans.js'

export const block = 100
export const bytes = 250
export const digests = (...values: number[]) =>
  Uint8Array.from(values.flatMap((value) => [value, value]))
export const mates = [0, 1, 2].map(memberOf)
export const plan = planOf(1, [0, 1, 2])
export const seal: Frame = { type: 'seal', stream: 0, fileDigest: 'digest' }
export const frame = (arrived: Frame): NodeEvent => ({ type: 'frameArrived', frame: arrived })
export const landed = (offset: number, length: number, scratch = false): NodeEvent => ({
  type: 'landed',
  scratch,
  offset,
  length,
})
export const hashed = (
  offset: number,
  length: number,
  values: Uint8Array,
  scratch = false,
): NodeEvent => ({
  type: 'hashed',
  scratch,
  offset,
  length,
  digests: values,
})
export const announced: NodeEvent = {
  type: 'announced',
  offset: 0,
  length: bytes,
  digests: digests(1, 2, 3),
}

/** No mate to ask: what is lacking comes from the origin. */
export const alone = planOf(1, [1])

const nothingMoved = {
  landedBytes: 0,
  holeBytes: 0,
  scratchBytes: 0,
  sentBytes: 0,
  receivedBytes: 0,
  duplicateBytes: 0,
  incoming: [],
  outgoing: [],
}

function isNoReport(command: NodeCommand): boolean {
  if (command.type !== 'send') return command.type !== 'sample'
  return command.frame.type !== 'progress' && command.frame.type !== 'backlog'
}

export class Bench {
  nowMs = 0
  readonly machine = new NodeMachine(
    { bytes, blockBytes: block, digestBytes: 2, originId, silenceMs: limits.silenceMs },
    0,
  )

  /** Commands of the last of these events, without looks at counters and reports. */
  feed(...events: NodeEvent[]): NodeCommand[] {
    let commands: NodeCommand[] = []
    for (const event of events) commands = this.handle(event).filter(isNoReport)
    return commands
  }

  /** Looks at the counters that are wished for are taken at once. */
  handle(event: NodeEvent): NodeCommand[] {
    const commands = this.machine.handle(event, this.nowMs)
    const isSampled = commands.some(({ type }) => type === 'sample')
    const sample = { atMs: this.nowMs, ...nothingMoved }
    return isSampled ? [...commands, ...this.handle({ type: 'sampled', sample })] : commands
  }

  /** Jumps to the machine's deadline. */
  tick(): NodeCommand[] {
    this.nowMs = this.machine.deadlineMs() as number
    return this.feed({ type: 'ticked' })
  }

  /** The origin's heart beats while time passes. */
  pass(ms: number): NodeCommand[] {
    const commands: NodeCommand[] = []
    for (let leftMs = ms; leftMs > 0; leftMs -= 500) {
      this.nowMs += Math.min(500, leftMs)
      commands.push(...this.feed(frame({ type: 'beat' })), ...this.feed({ type: 'ticked' }))
    }
    return commands
  }

  receiving(planned = plan): this {
    this.machine.start()
    this.feed({ type: 'prepared' }, frame(planned))
    return this
  }
}

export const sent = (commands: NodeCommand[]) =>
  commands.flatMap((command) => (command.type === 'send' ? [command.frame] : []))

export const lostMs = limits.silenceMs + limits.originGraceMs
