/** What pushes of this process tell of themselves (`node:diagnostics_channel`). */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'

/** `value` is that of the event; of an `error` there is `error` instead. */
export interface Told {
  readonly transfer: string
  readonly event: string
  readonly value?: unknown
  readonly error?: unknown
}

const channel = 'fastreplica:transfer'

/** Returns what ends it. */
export function onTold(listener: (told: Told) => void): () => void {
  const onMessage = (message: unknown): void => listener(message as Told)
  subscribe(channel, onMessage)
  return () => void unsubscribe(channel, onMessage)
}
