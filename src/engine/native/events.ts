/** Events of the addon, as the engine's listener gets them. */
import { codeFromNative } from '../../base/errors.js'
import type { EngineEvent } from '../../ports.js'
import { failureWords } from '../system-error.js'

/** One record of native/core/base/events.h; undefined for the answer to a storage operation. */
export function decodeEvent(record: Float64Array, side: Uint8Array): EngineEvent | undefined {
  const [type = 0, transfer = 0, a = 0, b = 0, c = 0, d = 0, e = 0] = record
  switch (type) {
    case 1:
      return {
        type: 'landed',
        transfer,
        stream: a,
        scratch: b === 1,
        offset: c,
        length: d,
        ...(side.length > 0 && { digests: side }),
      }
    case 2:
      return {
        type: 'digests',
        transfer,
        feed: a,
        stream: b,
        route: c,
        offset: d,
        length: e,
        payload: side,
      }
    case 3:
      return {
        type: 'feedClosed',
        transfer,
        feed: a,
        code: b === 0 ? null : codeFromNative(b),
        errno: c,
      }
    case 4:
      return {
        type: 'fileFailed',
        transfer,
        stream: a,
        code: codeFromNative(b),
        errno: c,
        text: failureWords({ what: new TextDecoder('latin1').decode(side), errno: c }),
      }
    default:
      return undefined
  }
}
