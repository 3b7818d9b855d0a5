/** Outcomes and results of pushes that are only played. */
import type { FrErrorCode } from '../../../src/base/errors.js'
import type { NodeOutcome } from '../../../src/control/messages/types.js'
import type { PushResult } from '../../../src/control/view/push-view.js'

export function outcomeOf(node: string, code: FrErrorCode | null): NodeOutcome {
  return {
    ...{ node, status: code === null ? 'complete' : 'failed', code, bytes: 9, digest: null },
    ...{ repairedBytes: 0, receivedBytes: 9, duplicateBytes: 0, heldBytes: 0 },
    ...{ filledBytes: 0, holeBytes: 0 },
    ...{ fromOriginBytes: 9, fromMatesBytes: 0, fromMirrorsBytes: 0, fromRelaysBytes: 0 },
    ...{ attempts: 1, rejoined: false, retryable: code !== null, servedBy: null, seconds: 1 },
    reopened: 0,
    ...{ reason: code === null ? null : `${code}: played`, warnings: [] },
  }
}

export function resultOf(nodes: readonly NodeOutcome[]): PushResult {
  return {
    ...{ event: 'result', transfer: '', bytes: 9, dataBytes: 9, seconds: 1 },
    ...{ coding: 'identity', wireBytes: 9 },
    ...{ boundSeconds: null, efficiency: null, boundFrom: null },
    ...{ observedBoundSeconds: null, observedEfficiency: null, shares: [], relays: [] },
    ...{ originShare: 1, directBytes: 0, term: 1, coordinator: null, crossings: [] },
    ...{ medianSeconds: 1, resentBytes: 0, faults: [], strategy: 'adaptive', shape: 'unicast' },
    ...{ originBytesSent: 9, digest: 'xxh64-blocks/65536:0011223344556677', warnings: [], nodes },
  }
}
