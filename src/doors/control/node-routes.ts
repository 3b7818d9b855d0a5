/** Routes about a node: its status, its limits, what it holds, its disks, who matches criteria. */
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import * as client from '../../api/client.js'
import { listFrom } from '../../api/list-from.js'
import type { Credentials, FrNode } from '../../api/types.js'
import { doorLimits } from '../../base/door-limits.js'
import { require } from '../tokens.js'
import { EventStream } from './event-stream.js'
import { limitsAsked } from './limit-schemas.js'
import { amount, fact, heldFile, nodeStatus, text } from './node-schemas.js'
import { named, type Route, route, taken, told } from './route.js'
import { verifyRoute } from './verify-route.js'

export interface NodeBehind {
  readonly node: FrNode
  /** HOST:PORT where this process asks it. */
  readonly at: string
  /** What the node is asked with. */
  readonly credentials: Credentials
}

const name = z.string().max(4_096).describe('Name at the node; slashes may stand as they are')
export const glob = z.string().min(1).max(4_096).describe('Pattern of names, as of `fr ls`')
export const limit = z.coerce
  .number()
  .int()
  .min(1)
  .max(doorLimits.rowsMax)
  .default(doorLimits.rows)
  .describe('Rows at most; `isWhole` says whether these are all')
export const after = z
  .string()
  .min(1)
  .max(6_144)
  .exactOptional()
  .describe('`next` of the answer before: goes on behind its last row')
/** Null: there is nothing behind these rows. */
export const next = text.nullable()
export const every = z.coerce
  .number()
  .int()
  .min(doorLimits.eventEveryMsMin)
  .max(doorLimits.eventEveryMsMax)
  .default(doorLimits.eventEveryMs)
  .describe('Milliseconds between two events')

const holdings = named(
  told,
  'Holdings',
  z.object({ items: z.array(heldFile), isWhole: fact, next }),
)
const removed = named(
  told,
  'Removed',
  z.object({
    event: z.literal('removed'),
    node: text,
    name: text,
    nameBase64: text.nullable(),
    entries: amount,
    kept: amount,
    failedCount: amount,
    reason: text.nullable(),
  }),
)
export const limited = named(
  told,
  'Limits',
  z.object({
    event: z.literal('limited'),
    node: text,
    transfer: text.nullable(),
    upBytesPerSecond: amount.nullable(),
    downBytesPerSecond: amount.nullable(),
  }),
)
const disk = named(
  told,
  'Disk',
  z.object({
    event: z.literal('disk'),
    node: text,
    path: text,
    state: z.enum(['ok', 'full', 'failing', 'away', 'missing']),
    problems: z.array(text),
    bytes: amount.nullable(),
    freeBytes: amount,
    held: z.object({ files: amount, bytes: amount }),
    partialBytes: amount,
    transfers: amount,
    waitingBytes: amount,
    activity: z
      .object({
        busy: amount,
        requestMs: amount,
        readBytesPerSecond: amount,
        writtenBytesPerSecond: amount,
      })
      .nullable(),
    speedBytesPerSecond: amount.nullable(),
  }),
)
const matching = named(
  told,
  'MatchingNodes',
  z.object({
    event: z.literal('where'),
    where: text,
    node: text,
    nodes: z.array(
      z.object({ event: z.literal('node'), nodeId: text, node: text, name: text.nullable() }),
    ),
    asked: amount,
    isWhole: fact,
  }),
)

export function nodeRoutes({ node, at, credentials }: NodeBehind): Route[] {
  return [
    route({
      ...{ id: 'getNode', method: 'get', path: '/node', right: 'status' },
      summary: 'Status of the node: transfers, rates, limits, what it holds, what is wrong',
      answers: { 200: { text: 'The status', schema: nodeStatus } },
      run: async ({ who }) => {
        require(who, 'status')
        return { status: 200, body: node.status() }
      },
    }),
    route({
      ...{ id: 'watchNode', method: 'get', path: '/node/events', right: 'status' },
      summary: 'The same again and again: events `status`, each a NodeStatus',
      query: z.strictObject({ every }),
      answers: { 200: { text: 'Server-sent events', schema: null, type: 'text/event-stream' } },
      run: async ({ who, query, response, signal }) => {
        require(who, 'status')
        const stream = new EventStream(response)
        void tellAgainAndAgain(stream, query.every, signal, () => node.status())
        return taken
      },
    }),
    route({
      ...{ id: 'limitNode', method: 'patch', path: '/node/limits', right: 'limit' },
      summary: 'What all transfers of the node may use together, until it ends',
      body: limitsAsked,
      answers: { 200: { text: 'What applies now', schema: limited } },
      run: async ({ who, body, signal }) => {
        require(who, 'limit')
        const options = { ...body, ...credentials, signal }
        return { status: 200, body: await client.limit(at, options) }
      },
    }),
    route({
      ...{ id: 'listDisks', method: 'get', path: '/disks', right: 'status' },
      summary: 'Data directories of the node: room, load, what is wrong',
      answers: { 200: { text: 'All of them', schema: z.object({ items: z.array(disk) }) } },
      run: async ({ who, signal }) => {
        require(who, 'status')
        const items = await client.disks(at, { ...credentials, signal })
        return { status: 200, body: { items } }
      },
    }),
    route({
      ...{ id: 'findNodes', method: 'get', path: '/nodes', right: 'status' },
      summary: 'Nodes of the directory that match criteria, as of `fr where`',
      query: z.strictObject({ where: z.string().min(1).max(4_096) }),
      answers: { 200: { text: 'Who matches', schema: matching } },
      run: async ({ who, query, signal }) => {
        require(who, 'status')
        const options = { via: at, ...credentials, signal }
        return { status: 200, body: await client.where(query.where, options) }
      },
    }),
    ...holdingRoutes({ at, credentials }),
    verifyRoute({ at, credentials }),
  ]
}

function holdingRoutes({ at, credentials }: Pick<NodeBehind, 'at' | 'credentials'>): Route[] {
  return [
    route({
      ...{ id: 'listHoldings', method: 'get', path: '/holdings', right: 'status' },
      summary: 'What the node holds: files, trees as one line each, unfinished ones',
      query: z.strictObject({ glob: glob.optional(), limit, after }),
      answers: { 200: { text: 'By name', schema: holdings } },
      run: async ({ who, query, signal }) => {
        require(who, 'status')
        const wanted = query.glob === undefined ? {} : { glob: query.glob }
        const items = []
        let next: string | null = null
        let isWhole = true
        const listed = listFrom(at, { ...wanted, ...credentials, signal }, query.after)
        for await (const { file, place } of listed) {
          isWhole = items.length < query.limit
          if (!isWhole) break
          items.push(file)
          next = place
        }
        return { status: 200, body: { items, isWhole, next: isWhole ? null : next } }
      },
    }),
    route({
      ...{ id: 'removeHolding', method: 'delete', path: '/holdings/{name*}', right: 'rm' },
      summary: 'Removes a file, a tree, or what an unfinished transfer left',
      params: z.strictObject({ name }),
      answers: { 200: { text: 'What is gone', schema: removed } },
      run: async ({ who, params, signal }) => {
        require(who, 'rm', params.name)
        const options = { ...credentials, signal }
        return { status: 200, body: await client.remove(at, params.name, options) }
      },
    }),
  ]
}

/** Until the client is gone, or the door is closed. */
export async function tellAgainAndAgain(
  stream: EventStream,
  everyMs: number,
  signal: AbortSignal,
  status: () => unknown,
): Promise<void> {
  while (!stream.isOver) {
    stream.sendNewest('status', status())
    await sleep(everyMs, undefined, { signal, ref: false }).catch(() => {})
  }
}
