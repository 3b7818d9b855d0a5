import { limits } from '../../../../src/base/limits.js'
import { type Frame, originNumber } from '../../../../src/control/messages/types.js'
import type { NodeConfig, NodeFact, NodeWish } from '../../../../src/control/receiver/events.js'
import { NodeMachine } from '../../../../src/control/receiver/machine.js'
import { memberOf, originId, planOf, sampledAt } from '../plans.js'

export const block = 100
export const bytes = 250
export const digests = (...values: number[]) =>
  Uint8Array.from(values.flatMap((value) => [value, value]))
export const mates = [0, 1, 2].map(memberOf)
export const plan = planOf(1, [0, 1, 2])
export const seal: Frame = { type: 'seal', stream: 0, fileDigest: 'digest' }
export const frame = (arrived: Frame): NodeFact => ({
  type: 'said',
  member: originNumber,
  frame: arrived,
})
export const landed = (offset: number, length: number, scratch = false): NodeFact => ({
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
): NodeFact => ({
  type: 'hashed',
  part: scratch ? 'scratch' : 'file',
  offset,
  length,
  digests: values,
})
export const announced: NodeFact = {
  type: 'digests',
  offset: 0,
  length: bytes,
  digests: digests(1, 2, 3),
}

/** No mate to ask: what is lacking comes from the origin. */
export const alone = planOf(1, [1])

function isNoReport(command: NodeWish): boolean {
  if (command.type !== 'say') return command.type !== 'sample'
  return command.frame.type !== 'progress' && command.frame.type !== 'backlog'
}

export class Bench {
  nowMs = 0
  readonly machine: NodeMachine

  constructor(over: Partial<NodeConfig> = {}) {
    const about = { bytes, blockBytes: block, digestBytes: 2, originId }
    this.machine = new NodeMachine({ ...about, silenceMs: limits.silenceMs, ...over }, 0)
  }

  /** Commands of the last of these events, without looks at counters and reports. */
  feed(...events: NodeFact[]): NodeWish[] {
    let commands: NodeWish[] = []
    for (const event of events) commands = this.handle(event).filter(isNoReport)
    return commands
  }

  /** Looks at the counters that are wished for are taken at once. */
  handle(event: NodeFact): NodeWish[] {
    const commands = this.machine.handle(event, this.nowMs)
    const isSampled = commands.some(({ type }) => type === 'sample')
    return isSampled ? [...commands, ...this.handle(sampledAt(this.nowMs))] : commands
  }

  /** Jumps to the machine's deadline. */
  tick(): NodeWish[] {
    this.nowMs = this.machine.deadlineMs() as number
    return this.feed({ type: 'due' })
  }

  /** The origin's heart beats while time passes. */
  pass(ms: number): NodeWish[] {
    const commands: NodeWish[] = []
    for (let leftMs = ms; leftMs > 0; leftMs -= 500) {
      this.nowMs += Math.min(500, leftMs)
      commands.push(...this.feed(frame({ type: 'beat' })), ...this.feed({ type: 'due' }))
    }
    return commands
  }

  receiving(planned = plan): this {
    this.machine.start()
    this.feed({ type: 'prepared' }, frame(planned))
    return this
  }
}

export const sent = (commands: NodeWish[]) =>
  commands.flatMap((command) => (command.type === 'say' ? [command.frame] : []))

export const lostMs = limits.silenceMs + limits.originGraceMs
