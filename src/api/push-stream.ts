/** `pushStream`: what a stream brings, sent to many nodes as it comes. */
import { push } from './push.js'
import type { PushOptions, PushSource, Transfer } from './types.js'

/**
 * Puts what a stream brings on all nodes of `options.to` while it comes, under the name `as`. The
 * end of the stream is that of the file; a stream that fails leaves it unsealed. As `push` with
 * `follow`.
 */
export function pushStream(
  stream: PushSource & AsyncIterable<Uint8Array | string>,
  options: PushOptions,
): Transfer {
  return push(stream, { ...options, follow: true })
}
