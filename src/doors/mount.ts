/** What stands behind a door: whoever answers for a part of its paths. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FrMaster } from '../api/master-types.js'
import type { FrNode } from '../api/types.js'
import type { Attributes } from '../base/attributes.js'
import { FrError } from '../base/errors.js'
import type { RightName } from '../base/rights.js'

/** What a door leads to. */
export type Behind = { readonly node: FrNode } | { readonly master: FrMaster }

/** Who asks, by the token of the request. */
export interface Who {
  /** For logs: the name of the token; null: there is none. */
  readonly name: string | null
  /**
   * What is true of it, by the list of tokens: contents that only some may have (`--only`) are
   * judged by that. Null: nothing is said, and it gets none of them.
   */
  readonly attributes: Attributes | null
  /**
   * Whether it may do that; `name` is the one that it is about, null: any name; left out where the
   * right says nothing of names.
   */
  rights(right: RightName, name?: string | Uint8Array | null): boolean
}

export interface Mount {
  /**
   * True: it answers, now or later; then nobody else does. It is asked in the order of the mounts,
   * after the guard. What it throws is told to the client as a problem.
   */
  handle(request: IncomingMessage, response: ServerResponse, who: Who): boolean
  /** Ends what it holds; answers that are under way are cut off after it. */
  close?(): void | Promise<void>
}

/** Whoever asks has gone, or the door closes. */
export function signalOf(response: ServerResponse, closing: AbortSignal): AbortSignal {
  const gone = new AbortController()
  response.once('close', () => gone.abort(new FrError('ERR_FR_ABORTED')))
  return AbortSignal.any([closing, gone.signal])
}
