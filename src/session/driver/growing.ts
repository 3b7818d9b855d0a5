/** What a node's machine wants of its engine for a content that is still written. */
import type { NodeWish } from '../../control/receiver/events.js'
import type { TransferHandle } from '../../ports.js'
import type { FeedEngine } from './ports.js'

/** It is the only content of its transfer. */
const stream = 0

export function grow(
  engine: FeedEngine,
  transfer: TransferHandle,
  wish: NodeWish & { readonly type: 'grow' | 'cut' | 'forget' },
): void {
  switch (wish.type) {
    case 'grow':
      return engine.grow(transfer, { stream, size: wish.bytes, isFinal: wish.isFinal })
    case 'cut':
      return engine.cut(transfer, { stream, offset: wish.offset, length: wish.length })
    case 'forget':
      return engine.forget(transfer, { stream, before: wish.before })
    default:
      return wish satisfies never
  }
}
