/** A fetch that is carried out: of a file, of a tree, of all that matches a pattern. */
import { FrError } from '../base/errors.js'
import type { FetchView } from '../session/fetch/fetch-run.js'

/** How far it is. */
export type Seen = Omit<FetchView, 'content'>

export interface Running<T extends Seen | null> {
  run(): Promise<T>
  view(): Seen
  cancel(text: string): void
}

const progressMs = 250

/** Tells how far it is until it ends. Rejects as it does, or with the signal's reason. */
export async function carriedOut<T extends Seen | null>(
  running: Running<T>,
  tell: (view: Seen) => void,
  signal: AbortSignal,
): Promise<T> {
  const ticking = setInterval(() => tell(running.view()), progressMs)
  const onAbort = (): void => running.cancel('the fetch was cancelled')
  const viewed = running.run()
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    const view = await viewed
    if (view !== null) tell(view)
    return view
  } catch (error) {
    // The caller cancelled, so it gets its own reason.
    if (error instanceof FrError && error.code === 'ERR_FR_ABORTED') signal.throwIfAborted()
    throw error
  } finally {
    clearInterval(ticking)
    signal.removeEventListener('abort', onAbort)
  }
}
