/** Routes about versions of names: what the node keeps of them, and the way back to one. */
import { z } from 'zod'
import * as client from '../../api/client.js'
import type { FileVersion, RollbackResult } from '../../api/types.js'
import { limits } from '../../base/limits.js'
import { isVersion } from '../../base/versions.js'
import { require } from '../tokens.js'
import { glob, limit, type NodeBehind } from './node-routes.js'
import { amount, fact, heldState, text } from './node-schemas.js'
import { asked, named, type Route, route, told } from './route.js'

const version: z.ZodType<FileVersion> = named(
  told,
  'FileVersion',
  z.object({
    event: z.literal('version'),
    node: text,
    name: text,
    nameBase64: text.nullable(),
    kind: z.enum(['file', 'tree']),
    back: amount,
    isPresent: fact,
    state: heldState,
    digest: text,
    bytes: amount,
    diskBytes: amount,
    author: text.nullable(),
    contentId: text.nullable(),
    ageSeconds: amount,
    keptSeconds: amount.nullable(),
  }),
)

const rolledBack: z.ZodType<RollbackResult> = named(
  told,
  'RolledBack',
  z.object({
    event: z.literal('rolledBack'),
    node: text,
    name: text,
    nameBase64: text.nullable(),
    digest: text,
    bytes: amount,
    before: text.nullable(),
  }),
)

const rollbackAsked = named(
  asked,
  'RollbackAsked',
  z.strictObject({
    name: z.string().min(1).max(limits.nameBytes),
    version: z
      .string()
      .refine(isVersion, '-1, -2, .. or at least 6 hex digits of a digest')
      .default('-1')
      .describe('At least 6 hex digits of its digest, or -1 for the one before, -2, ..'),
  }),
)

export function versionRoutes({ at, credentials }: Omit<NodeBehind, 'node'>): Route[] {
  return [
    route({
      ...{ id: 'listVersions', method: 'get', path: '/versions', right: 'status' },
      summary: 'Versions of names that have earlier ones, or match; the newest of each name first',
      query: z.strictObject({ glob: glob.optional(), limit }),
      answers: {
        200: { text: 'By name', schema: z.object({ items: z.array(version), isWhole: fact }) },
      },
      run: async ({ who, query, signal }) => {
        require(who, 'status')
        const wanted = query.glob === undefined ? {} : { glob: query.glob }
        const items: FileVersion[] = []
        for await (const one of client.versions(at, { ...wanted, ...credentials, signal })) {
          if (items.length === query.limit) return { status: 200, body: { items, isWhole: false } }
          items.push(one)
        }
        return { status: 200, body: { items, isWhole: true } }
      },
    }),
    route({
      ...{ id: 'rollBack', method: 'post', path: '/rollbacks', right: 'push' },
      summary: 'Gives a name to an earlier version of it, and keeps what has the name',
      body: rollbackAsked,
      answers: { 200: { text: 'What has the name now', schema: rolledBack } },
      run: async ({ who, body: { name, version }, signal }) => {
        require(who, 'push', name)
        const options = { version, ...credentials, signal }
        return { status: 200, body: await client.rollback(at, name, options) }
      },
    }),
  ]
}
