/** What of the machine may be sent, for who chooses it. */
import { z } from 'zod'
import { limits } from '../../base/limits.js'
import { require } from '../tokens.js'
import { limit } from './node-routes.js'
import { type Route, route } from './route.js'
import { listSources } from './sources.js'
import { sourcePath, sourcesTold } from './transfer-schemas.js'

export function sourceRoutes(sources: readonly string[]): Route[] {
  return [
    route({
      ...{ id: 'listSources', method: 'get', path: '/sources', right: 'push' },
      summary: 'Files and directories that a push may be asked for, of one directory, by name',
      query: z.strictObject({
        path: sourcePath
          .describe('A directory, as answers have it; absent: those that the door was given')
          .exactOptional(),
        limit,
        after: z
          .string()
          .min(1)
          .max(limits.nameBytes)
          .exactOptional()
          .describe('`next` of the answer before: goes on behind its last row'),
      }),
      answers: { 200: { text: 'By name', schema: sourcesTold } },
      run: async ({ who, query, signal }) => {
        require(who, 'push')
        return { status: 200, body: await listSources(query, sources, signal) }
      },
    }),
  ]
}
