/**
 * `Expect: 100-continue`: a client with a long body asks first whether it is wanted. It is told so
 * by whoever reads the body, once nothing stands against the request any more.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'

const waiting = new WeakSet<IncomingMessage>()

export function expectsContinue(request: IncomingMessage): void {
  waiting.add(request)
}

/** Tells a client that waits for that to send the body. */
export function continueBody(request: IncomingMessage, response: ServerResponse): void {
  if (waiting.delete(request)) response.writeContinue()
}
