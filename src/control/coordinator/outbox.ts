/** What the origin's machine wishes while it handles one event, in the order of the wishes. */
import type { Peer } from '../members/peer.js'
import type { Frame } from '../messages/types.js'
import type { OriginCommand } from './events.js'

export class OriginOutbox {
  #commands: OriginCommand[] = []

  /** Everything since the last time. */
  take(): OriginCommand[] {
    const taken = this.#commands
    this.#commands = []
    return taken
  }

  wish(...commands: readonly OriginCommand[]): void {
    for (const command of commands) this.#commands.push(command)
  }

  send(peer: Peer, frame: Frame): void {
    this.#commands.push({ type: 'send', node: peer.node, frame })
  }

  log(level: 'info' | 'warn', event: string, peer: Peer, text: string): void {
    this.#commands.push({ type: 'log', level, event, node: peer.node, text })
  }
}
