/** A node takes over a transfer that it receives (session/driver/successor.ts), over sockets. */
import { randomBytes } from 'node:crypto'
import { hexOf } from '../../base/bytes.js'
import type { SuccessorConfig } from '../../control/coordinator/successor.js'
import type { PlanFrame, RosterFrame } from '../../control/messages/types.js'
import { nodePrimitives } from '../../net/crypto.js'
import { edgeOf } from '../../protocol/ticket.js'
import { SuccessorSession } from '../driver/successor.js'
import { processClock, SocketNet } from '../sockets.js'
import type { ReceptionLog } from './log.js'
import type { NodeHost } from './node-host.js'
import { type Follower, OwnNet } from './own-link.js'

interface About
  extends Pick<SuccessorConfig, 'transfer' | 'term' | 'bytes' | 'blockBytes' | 'silenceMs'> {
  readonly log: ReceptionLog
  readonly only: string | undefined
}

/** `reception`: of this node, which is a standby. Resolves once all links are closed. */
export function coordinate(
  host: NodeHost,
  { log, ...about }: About,
  reception: Follower,
): Promise<void> {
  const known = reception.session.machine.neighbours
  const { strategy, shape } = known.plan as PlanFrame
  const { entries: roster } = known.replica.roster as RosterFrame
  const seed = new Uint8Array(randomBytes(32))
  const edge = (...ends: [number, number]) => {
    const { id, secret } = edgeOf(nodePrimitives, seed, ends)
    return { id, secret: hexOf(secret) }
  }
  const part = {
    transfer: about.transfer,
    from: () => about.term.member,
    isOrigin: true,
    via: roster.find(({ number }) => number === about.term.member)?.via,
    isLinksOnly: true,
    only: about.only,
  }
  const dialler = host.dialler()
  const others = new SocketNet(dialler, host.engine, part, () => {
    throw new TypeError('who takes over has no data connections')
  })
  const { nodeId, incarnation } = dialler.self
  const net = new OwnNet(others, about.term.member, { nodeId, incarnation }, reception)
  return new Promise((resolve) => {
    const ports = {
      clock: processClock,
      net,
      engine: host.engine,
      log: log.line.bind(log),
      ended: resolve,
      crashed: (error: unknown) => log.line('error', 'defect', { text: String(error) }),
    }
    new SuccessorSession({ ...about, roster, strategy, shape, edgeOf: edge }, ports).start()
  })
}
