/**
 * Engine events find their transfer. The engine is made with `listener`; whoever opens a transfer
 * routes it. Events of a batch that belong to one transfer are handed over together, in order.
 */
import type { EngineEvent, EngineListener, TransferHandle } from '../ports.js'

export type TransferListener = (events: readonly EngineEvent[]) => void

export class EngineRouter {
  readonly #routes = new Map<TransferHandle, TransferListener>()

  readonly listener: EngineListener = (events) => {
    const batches = new Map<TransferHandle, EngineEvent[]>()
    for (const event of events) {
      const batch = batches.get(event.transfer)
      if (batch === undefined) batches.set(event.transfer, [event])
      else batch.push(event)
    }
    for (const [transfer, batch] of batches) this.#routes.get(transfer)?.(batch)
  }

  route(transfer: TransferHandle, listener: TransferListener): void {
    this.#routes.set(transfer, listener)
  }

  forget(transfer: TransferHandle): void {
    this.#routes.delete(transfer)
  }
}
