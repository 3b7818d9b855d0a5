/** Routes about transfers: to begin, watch, cancel, limit them, and to add nodes. */

import { basename } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import * as client from '../../api/client.js'
import { addNode, copy, publish, push } from '../../api/index.js'
import { utf8 } from '../../base/bytes.js'
import { doorLimits } from '../../base/door-limits.js'
import { versionedName } from '../../base/versions.js'
import type { Who } from '../mount.js'
import { HttpError } from '../problem.js'
import { require } from '../tokens.js'
import { EventStream } from './event-stream.js'
import type { Idempotency } from './idempotency.js'
import { limitsAsked } from './limit-schemas.js'
import { limited, type NodeBehind } from './node-routes.js'
import { text } from './node-schemas.js'
import { named, type Route, route, taken, told } from './route.js'
import { Running, type RunningTransfers } from './running.js'
import { sourceAt } from './sources.js'
import {
  type TransferAsked,
  type TransferSummary,
  type TransferTold,
  targetAsked,
  transferAsked,
  transferSummary,
  transferTold,
} from './transfer-schemas.js'

export interface TransfersBehind extends NodeBehind {
  readonly running: RunningTransfers
  readonly idempotency: Idempotency
  /** Directories of which files may be sent. */
  readonly sources: readonly string[]
}

const id = z.string().regex(/^[0-9a-f]{32}$/, 'the id of a transfer has 32 hex digits')
const params = z.strictObject({ id })
const waitSeconds = z.coerce
  .number()
  .min(0)
  .max(doorLimits.waitSecondsMax)
  .default(0)
  .describe('Seconds to wait for its end')
const added = named(
  told,
  'Added',
  z.object({ event: z.literal('added'), transfer: text, node: text }),
)

export function transferRoutes(behind: TransfersBehind): Route[] {
  const { at, credentials, running } = behind
  return [
    route({
      ...{ id: 'createTransfer', method: 'post', path: '/transfers', right: 'be-origin' },
      summary:
        'Begins one: `copy` what the node holds, `push` or `publish` a file of its machine. ' +
        'With `Idempotency-Key` once, however often it is asked',
      body: transferAsked,
      answers: { 201: { text: 'It has begun', schema: transferTold } },
      run: ({ who, body, request }) =>
        behind.idempotency.once(request, who, body, async () => {
          const one = await begin(behind, who, body)
          const headers = { location: `/api/v1/transfers/${one.id}` }
          return { status: 201, body: toldOf(behind, one), headers }
        }),
    }),
    route({
      ...{ id: 'listTransfers', method: 'get', path: '/transfers', right: 'status' },
      summary:
        'Those begun here and those that others have with this node, also some that are over',
      answers: {
        200: { text: 'All of them', schema: z.object({ items: z.array(transferSummary) }) },
      },
      run: async ({ who }) => {
        require(who, 'status')
        return { status: 200, body: { items: summaries(behind) } }
      },
    }),
    route({
      ...{ id: 'getTransfer', method: 'get', path: '/transfers/{id}', right: 'status' },
      summary: 'All that is known of one',
      params,
      query: z.strictObject({ waitSeconds }),
      answers: { 200: { text: 'As it is now', schema: transferTold } },
      run: async ({ who, params, query, signal }) => {
        require(who, 'status')
        const one = running.find(params.id)
        if (one === undefined) return { status: 200, body: othersTold(behind, params.id) }
        const late = AbortSignal.any([signal, AbortSignal.timeout(query.waitSeconds * 1000)])
        if (query.waitSeconds > 0) await Promise.race([one.over, aborted(late)])
        return { status: 200, body: toldOf(behind, one) }
      },
    }),
    route({
      ...{ id: 'watchTransfer', method: 'get', path: '/transfers/{id}/events', right: 'status' },
      summary:
        'Events `transfer` (a summary), `plan`, `progress`, `node`, last `end` (a summary); of ' +
        'one that others began `status` (a NodeTransfer) and `end`',
      params,
      answers: {
        200: { text: 'Server-sent events', schema: null, type: 'text/event-stream' },
        204: { text: 'It was told to its end before', schema: null },
      },
      run: async ({ who, params, request, response, signal }) => {
        require(who, 'status')
        // Browsers ask again when a stream has ended, unless they are told that there is no more.
        if (request.headers['last-event-id'] === 'end') return { status: 204 }
        const one = running.find(params.id)
        if (one === undefined) othersTold(behind, params.id)
        const stream = new EventStream(response)
        if (one !== undefined) watch(behind, one, stream)
        else void watchOthers(behind, params.id, stream, signal)
        return taken
      },
    }),
    route({
      ...{ id: 'cancelTransfer', method: 'delete', path: '/transfers/{id}', right: 'be-origin' },
      summary: 'Ends one that was begun here; answers when it is over',
      params,
      answers: { 200: { text: 'As it ended', schema: transferTold } },
      run: async ({ who, params }) => {
        require(who, 'status')
        const one = running.find(params.id)
        if (one === undefined) {
          othersTold(behind, params.id)
          throw new HttpError(409, 'ERR_FR_UNSUPPORTED', 'only who began a transfer can cancel it')
        }
        one.mayCancel(who)
        await one.cancel()
        return { status: 200, body: toldOf(behind, one) }
      },
    }),
    route({
      ...{ id: 'limitTransfer', method: 'patch', path: '/transfers/{id}/limits', right: 'limit' },
      summary: 'What one that this node receives may use',
      params,
      body: limitsAsked,
      answers: { 200: { text: 'What applies now', schema: limited } },
      run: async ({ who, params, body, signal }) => {
        require(who, 'limit')
        const options = { ...body, transfer: params.id, ...credentials, signal }
        return { status: 200, body: await client.limit(at, options) }
      },
    }),
    route({
      ...{ id: 'addNode', method: 'post', path: '/transfers/{id}/nodes', right: 'add' },
      summary: 'Adds a node to one that runs; answers when it takes part',
      params,
      body: z.strictObject({ node: targetAsked }),
      answers: { 200: { text: 'It takes part', schema: added } },
      run: async ({ who, params, body, signal }) => {
        require(who, 'add')
        const one = running.find(params.id)
        if (one !== undefined) await one.add(body.node)
        else await addNode(params.id, body.node, { via: at, ...credentials, signal })
        const address = typeof body.node === 'string' ? body.node : body.node.address
        return { status: 200, body: { event: 'added', transfer: params.id, node: address } }
      },
    }),
  ]

  function summaries({ node }: TransfersBehind): TransferSummary[] {
    const own = running.all
    const known = new Set(own.map(({ id }) => id))
    const { transfers, ended } = node.status()
    const others = [...transfers, ...ended].filter(({ transfer }) => !known.has(transfer))
    const ids = [...new Set(others.map(({ transfer }) => transfer))]
    const all = [
      ...own.map((one) => toldOf(behind, one)),
      ...ids.map((id) => othersTold(behind, id)),
    ]
    return all.map(summaryOf)
  }
}

/** What it takes is checked before anything begins. */
async function begin(behind: TransfersBehind, who: Who, asked: TransferAsked): Promise<Running> {
  const { at, credentials, sources, running } = behind
  switch (asked.kind) {
    case 'copy': {
      const { kind, name, ...options } = asked
      const mayCancel = (who: Who): void => require(who, 'be-origin')
      mayCancel(who)
      require(who, 'get', versionedName(utf8(name))?.name ?? name)
      return running.begin(() =>
        Running.ofTransfer(
          { kind, name, mayCancel },
          copy(name, { ...options, ...credentials, from: at }),
        ),
      )
    }
    case 'push': {
      const { kind, path, ...options } = asked
      const name = options.as ?? basename(path)
      const mayCancel = (who: Who): void => require(who, 'push', name)
      mayCancel(who)
      const source = await sourceAt(path, sources)
      return running.begin(() =>
        Running.ofTransfer(
          { kind, name, mayCancel },
          push(source, { as: name, ...options, ...credentials }),
        ),
      )
    }
    case 'publish': {
      const { kind: _, path, ...options } = asked
      const name = options.as ?? basename(path)
      const mayCancel = (who: Who): void => require(who, 'push', name)
      mayCancel(who)
      const source = await sourceAt(path, sources)
      const wanted = { as: name, ...options, ...credentials, via: at }
      return running.begin(() =>
        Running.ofPublication({ name, mayCancel }, (hooks) =>
          publish(source, { ...wanted, ...hooks }),
        ),
      )
    }
    default:
      return asked satisfies never
  }
}

export function toldOf({ node }: TransfersBehind, one: Running): TransferTold {
  const { id, kind, name, state, startedAt, endedAt, bytes, share, problem } = one
  const { plan, progress, nodes, result, published } = one
  const here = node.status().transfers.find(({ transfer }) => transfer === id) ?? null
  return {
    ...{ id, kind, name, state, startedAt, endedAt, bytes, share, problem, here, ended: null },
    ...{ plan, progress, nodes, result, published },
  } as TransferTold
}

/** Throws ERR_FR_NO_TRANSFER as HttpError. */
function othersTold({ node }: TransfersBehind, id: string): TransferTold {
  const { transfers, ended: over } = node.status()
  const here = transfers.find(({ transfer }) => transfer === id) ?? null
  const ended = over.find(({ transfer }) => transfer === id) ?? null
  const one = here ?? ended
  if (one === null)
    throw new HttpError(404, 'ERR_FR_NO_TRANSFER', 'the node knows of no such transfer')
  const isOver = ended?.outcome === 'over' ? 'complete' : ended?.outcome
  const share = here === null || here.bytes === 0 ? null : here.landedBytes / here.bytes
  return {
    ...{ id, kind: 'other', name: one.name, state: here === null ? isOver : 'running' },
    ...{ startedAt: null, endedAt: null, bytes: one.bytes, share, problem: null, here, ended },
    ...{ plan: null, progress: null, nodes: [], result: null, published: null },
  } as TransferTold
}

function summaryOf(one: TransferTold): TransferSummary {
  const { id, kind, name, state, startedAt, endedAt, bytes, share, problem } = one
  return { id, kind, name, state, startedAt, endedAt, bytes, share, problem }
}

/** What there was, then what comes. */
function watch(behind: TransfersBehind, one: Running, stream: EventStream): void {
  const tellSummary = (event: 'transfer' | 'end'): void =>
    stream.send(event, summaryOf(toldOf(behind, one)), event === 'end' ? 'end' : undefined)
  tellSummary('transfer')
  if (one.plan !== null) stream.send('plan', one.plan)
  for (const outcome of one.nodes) stream.send('node', outcome)
  if (one.progress !== null) stream.send('progress', one.progress)
  const end = (): void => {
    tellSummary('end')
    stream.end()
  }
  if (one.state !== 'running') {
    end()
    return
  }
  stream.onOver = one.watch((event, data) => {
    if (event === 'end') end()
    else if (event === 'progress') stream.sendNewest(event, data)
    else stream.send(event, data)
  })
}

async function watchOthers(
  behind: TransfersBehind,
  id: string,
  stream: EventStream,
  signal: AbortSignal,
): Promise<void> {
  while (!stream.isOver) {
    const { here } = whatIsKnown(behind, id) ?? {}
    if (here) stream.sendNewest('status', here)
    else {
      const last = whatIsKnown(behind, id)
      stream.send('end', last === null ? null : summaryOf(last), 'end')
      stream.end()
      return
    }
    await sleep(doorLimits.eventEveryMs / 2, undefined, { signal, ref: false }).catch(() => {})
  }
}

function whatIsKnown(behind: TransfersBehind, id: string): TransferTold | null {
  try {
    return othersTold(behind, id)
  } catch {
    return null
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
