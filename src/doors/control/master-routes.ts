/** Routes about a master: its sets, its nodes, what it plans and why, what links carry. */
import { z } from 'zod'
import * as client from '../../api/client.js'
import { applySetsText } from '../../api/master-client.js'
import type { FrMaster } from '../../api/master-types.js'
import type { Credentials } from '../../api/types.js'
import { doorLimits } from '../../base/door-limits.js'
import { require } from '../tokens.js'
import { EventStream } from './event-stream.js'
import {
  applied,
  auditRow,
  component,
  drained,
  explained,
  link,
  masterNode,
  masterStatus,
  planRow,
  set,
} from './master-schemas.js'
import { every, limit, tellAgainAndAgain } from './node-routes.js'
import { fact } from './node-schemas.js'
import { asked, named, type Route, route, taken } from './route.js'

export interface MasterBehind {
  readonly master: FrMaster
  /** HOST:PORT where this process asks it. */
  readonly at: string
  readonly credentials: Credentials
}

type Asking = Credentials & { readonly signal: AbortSignal }

const flag = z
  .enum(['true', 'false'])
  .default('false')
  .transform((said) => said === 'true')
const nodeName = z.string().min(1).max(255).describe('Name of a node at the master')
const setsAsked = named(
  asked,
  'SetsAsked',
  z.strictObject({
    sets: z
      .array(z.record(z.string(), z.unknown()))
      .max(doorLimits.rowsMax)
      .describe('Documents of sets, as in YAML: apiVersion, kind, metadata, spec (docs/master.md)'),
  }),
)

export function masterRoutes({ master, at, credentials }: MasterBehind): Route[] {
  /** A list of rows of one kind. */
  function rows(
    id: string,
    path: string,
    summary: string,
    row: z.ZodType,
    ask: (options: Asking) => AsyncIterable<unknown>,
  ): Route {
    return route({
      ...{ id, method: 'get', path, right: 'status', summary },
      query: z.strictObject({ limit }),
      answers: {
        200: { text: 'Rows', schema: z.object({ items: z.array(row), isWhole: fact }) },
      },
      run: async ({ who, query, signal }) => {
        require(who, 'status')
        return { status: 200, body: await listed(ask({ ...credentials, signal }), query.limit) }
      },
    })
  }

  return [
    route({
      ...{ id: 'getMaster', method: 'get', path: '/master', right: 'status' },
      summary: 'Status of the master',
      answers: { 200: { text: 'The status', schema: masterStatus } },
      run: async ({ who }) => {
        require(who, 'status')
        return { status: 200, body: master.status() }
      },
    }),
    route({
      ...{ id: 'watchMaster', method: 'get', path: '/master/events', right: 'status' },
      summary: 'The same again and again: events `status`, each a MasterStatus',
      query: z.strictObject({ every }),
      answers: { 200: { text: 'Server-sent events', schema: null, type: 'text/event-stream' } },
      run: async ({ who, query, response, signal }) => {
        require(who, 'status')
        const stream = new EventStream(response)
        void tellAgainAndAgain(stream, query.every, signal, () => master.status())
        return taken
      },
    }),
    rows('listSets', '/sets', 'How far each set is', set, (by) => client.sets(at, by)),
    rows('listNodes', '/nodes', 'Nodes that have ever joined', masterNode, (by) =>
      client.nodes(at, by),
    ),
    rows('listLinks', '/links', 'What links may carry, carry, and have cost', link, (by) =>
      client.links(at, by),
    ),
    rows('listComponents', '/components', 'What has failed, or may have', component, (by) =>
      client.components(at, by),
    ),
    rows('audit', '/audit', 'Where what nodes hold is not what sets want', auditRow, (by) =>
      client.audit(at, by),
    ),
    route({
      ...{ id: 'getPlan', method: 'get', path: '/plan', right: 'status' },
      summary: 'Copies that run, and which site is to have what from which',
      query: z.strictObject({ limit, name: z.string().min(1).max(4_096).exactOptional() }),
      answers: {
        200: { text: 'Rows', schema: z.object({ items: z.array(planRow), isWhole: fact }) },
      },
      run: async ({ who, query, signal }) => {
        require(who, 'status')
        const { limit, ...name } = query
        const found = client.plan(at, { ...name, ...credentials, signal })
        return { status: 200, body: await listed(found, limit) }
      },
    }),
    route({
      ...{ id: 'explain', method: 'get', path: '/nodes/{node}/files/{name*}', right: 'status' },
      summary: 'Why a node has a file, copies it from whom it does, or waits',
      params: z.strictObject({ node: nodeName, name: z.string().max(4_096) }),
      answers: { 200: { text: 'The reasons', schema: explained } },
      run: async ({ who, params, signal }) => {
        require(who, 'status')
        const { node, name } = params
        return {
          status: 200,
          body: await client.explain(at, node, name, { ...credentials, signal }),
        }
      },
    }),
    route({
      ...{ id: 'applySets', method: 'put', path: '/sets', right: 'admin' },
      summary: 'Sets take the place of those with their names, at once and together',
      query: z.strictObject({ prune: flag, dryRun: flag }),
      body: setsAsked,
      answers: { 200: { text: 'What has changed', schema: applied } },
      run: async ({ who, query, body, signal }) => {
        require(who, 'admin')
        const options = { ...query, ...credentials, signal }
        return { status: 200, body: await applySetsText(at, textOf(body.sets), options) }
      },
    }),
    route({
      ...{ id: 'drainNode', method: 'put', path: '/nodes/{node}/drained', right: 'admin' },
      summary: 'Nothing is copied from the node or to it; false: it is used again',
      params: z.strictObject({ node: nodeName }),
      body: named(asked, 'DrainAsked', z.strictObject({ isDrained: z.boolean() })),
      answers: { 200: { text: 'So it is', schema: drained } },
      run: async ({ who, params, body, signal }) => {
        require(who, 'admin')
        const options = { undo: !body.isDrained, ...credentials, signal }
        return { status: 200, body: await client.drain(at, params.node, options) }
      },
    }),
  ]
}

/** JSON is YAML: documents one after the other. */
function textOf(sets: readonly unknown[]): { name: string; text: string } {
  return { name: 'sets', text: sets.map((one) => `--- ${JSON.stringify(one)}\n`).join('') }
}

async function listed(rows: AsyncIterable<unknown>, most: number) {
  const items: unknown[] = []
  for await (const row of rows) {
    if (items.length === most) return { items, isWhole: false }
    items.push(row)
  }
  return { items, isWhole: true }
}
