/**
 * Pushes of this process as spans of OpenTelemetry. The tracer is handed in, so the library itself
 * depends on none:
 *
 *     import { trace } from '@opentelemetry/api'
 *     const stop = traceTransfers(trace.getTracer('fastreplica'))
 */
import type { NodeOutcome, Plan, PushResult } from '../../api/types.js'
import { onTold } from './told.js'

type Attributes = Record<string, string | number | boolean>

/** What is used of a `Tracer` of `@opentelemetry/api`. */
export interface TracerLike {
  startSpan(name: string, options?: { attributes?: Attributes }): SpanLike
}

interface SpanLike {
  setAttributes(attributes: Attributes): unknown
  addEvent(name: string, attributes?: Attributes): unknown
  setStatus(status: { code: number; message?: string }): unknown
  end(): void
}

/** `SpanStatusCode.ERROR`. */
const errorStatus = 2
/** Pushes at a time; of more there is no span. */
const spansMax = 1_024
/** Nodes of which a span has an event. */
const eventsMax = 128

/**
 * A span `fastreplica.push` for each push, from its plan on, with an event for each node and the
 * figures of its result. What comes back ends it; spans that are open are left to end.
 */
export function traceTransfers(tracer: TracerLike): () => void {
  const spans = new Map<string, { readonly span: SpanLike; events: number }>()

  const planned = (transfer: string, plan: Plan): void => {
    if (spans.has(transfer) || spans.size >= spansMax) return
    const { bytes, strategy, shape, groups, predictedSeconds } = plan
    const attributes = {
      ...{ 'fastreplica.transfer': transfer, 'fastreplica.bytes': bytes },
      ...{ 'fastreplica.strategy': strategy, 'fastreplica.shape': shape },
      'fastreplica.nodes': groups.flat().length,
      ...(predictedSeconds !== null && { 'fastreplica.predicted_seconds': predictedSeconds }),
    }
    spans.set(transfer, { span: tracer.startSpan('fastreplica.push', { attributes }), events: 0 })
  }

  const ended = (transfer: string, node: NodeOutcome): void => {
    const found = spans.get(transfer)
    if (found === undefined || found.events++ >= eventsMax) return
    const attributes = { 'fastreplica.node': node.node, 'fastreplica.status': node.status }
    found.span.addEvent('fastreplica.node', {
      ...attributes,
      'fastreplica.seconds': node.seconds,
      ...(node.code !== null && { 'fastreplica.code': node.code }),
    })
  }

  const over = (transfer: string, end: (span: SpanLike) => void): void => {
    const found = spans.get(transfer)
    if (found === undefined) return
    spans.delete(transfer)
    end(found.span)
    found.span.end()
  }

  return onTold(({ transfer, event, value, error }) => {
    if (event === 'plan') planned(transfer, value as Plan)
    else if (event === 'node') ended(transfer, value as NodeOutcome)
    else if (event === 'result') over(transfer, (span) => tellResult(span, value as PushResult))
    else if (event === 'error')
      over(transfer, (span) =>
        span.setStatus({ code: errorStatus, message: String((error as Error)?.message ?? error) }),
      )
  })
}

function tellResult(span: SpanLike, { nodes, efficiency, originBytesSent }: PushResult): void {
  const complete = nodes.filter(({ status }) => status === 'complete').length
  span.setAttributes({
    'fastreplica.complete_nodes': complete,
    'fastreplica.origin_bytes': originBytesSent,
    ...(efficiency !== null && { 'fastreplica.efficiency': efficiency }),
  })
  if (complete < nodes.length)
    span.setStatus({ code: errorStatus, message: `${complete} of ${nodes.length} nodes` })
}
