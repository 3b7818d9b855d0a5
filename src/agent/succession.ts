/**
 * Who may coordinate a transfer that runs at a node: its origin, until a member has taken over. An
 * origin that comes back waits until that is over, and its offer counts then.
 */
import { limits } from '../base/limits.js'
import type { Waiting } from '../base/time/patience.js'
import type { Frame } from '../control/messages/types.js'
import type { ControlLink } from '../net/link.js'
import type { Reception } from '../session/receiver/reception.js'
import type { Caller } from './offers.js'

/**
 * Tells the origin whom the node follows, again and again, and calls `over` once the transfer is
 * over here. `kept`: links that close with the node.
 */
export function awaitEnd(
  running: Reception,
  link: ControlLink,
  kept: Waiting<ControlLink>,
  over: () => void,
): void {
  const tell = (): void => {
    const term = running.succession
    if (term === undefined || !link.send({ type: 'stale', term, epoch: 0 }))
      return clearInterval(telling)
    kept.add(link, limits.acceptMs, () => link.destroy())
  }
  const telling = setInterval(tell, limits.beatMs)
  tell()
  void running.done.then(() => {
    clearInterval(telling)
    if (link.isOpen) over()
  })
}

/** Whoever takes over is given the reception, if that follows it; else its link is refused. */
export function follow(
  reception: Reception | undefined,
  { term }: Frame & { type: 'succeed' },
  { established: { peer }, link, taken }: Caller,
): void {
  const failure = reception?.succeed(link, term, peer?.nodeId ?? '') ?? null
  if (reception !== undefined && failure === null) return taken(reception)
  const text = 'this transfer is not running here'
  link.send({ type: 'refuse', ...(failure ?? { code: 'ERR_FR_NO_TRANSFER', text }) })
  void link.close()
}
