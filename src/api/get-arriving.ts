/**
 * What is published by criteria at a node and has not begun to come there: whoever follows it waits
 * until it does.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { askAboutName } from '../agent/publish-client.js'
import { textOf } from '../base/bytes.js'
import { FrError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { Running, Seen } from './get-running.js'
import { asking, pageMs } from './inquiry.js'
import type { StatusOptions } from './types.js'

/** Begins again while no node offers the name, and one says that it is published there. */
export async function onceThere<T extends Seen | null, R extends Running<T>>(
  begin: () => R,
  carryOut: (running: R) => Promise<T>,
  isComing: () => Promise<boolean>,
  signal: AbortSignal,
): Promise<T> {
  for (;;) {
    const running = begin()
    try {
      return await carryOut(running)
    } catch (error) {
      const isAbsent = error instanceof FrError && error.code === 'ERR_FR_NOT_HELD'
      // What was begun is not begun anew: its reader has some of it.
      if (!isAbsent || running.view().bytes !== null || !(await isComing())) throw error
      await delay(limits.fetchRedialMs, undefined, { signal })
    }
  }
}

/** Whether a node says so; one that cannot be asked, or does not tell this user, says nothing. */
export async function isPublishedAt(
  holders: readonly string[],
  name: Uint8Array,
  options: StatusOptions,
): Promise<boolean> {
  const text = textOf(name)
  if (text === null) return false
  const told = await Promise.all(
    holders.map((holder) =>
      asking(holder, options, pageMs, ({ inquiry, ...within }) =>
        askAboutName(inquiry, within, text),
      ).then(
        ({ published }) => published.length > 0,
        () => false,
      ),
    ),
  )
  options.signal?.throwIfAborted()
  return told.includes(true)
}
