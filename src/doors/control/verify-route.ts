/** Whether what a node holds is as it was published: it reads a file or a tree, and tells. */
import { z } from 'zod'
import * as client from '../../api/client.js'
import type { Credentials } from '../../api/types.js'
import { limits } from '../../base/limits.js'
import { problemOf } from '../problem.js'
import { require } from '../tokens.js'
import { EventStream } from './event-stream.js'
import { type Route, route, taken } from './route.js'

const name = z.string().min(1).max(limits.nameBytes)

interface Behind {
  readonly at: string
  readonly credentials: Credentials
}

export function verifyRoute({ at, credentials }: Behind): Route {
  return route({
    ...{ id: 'verify', method: 'get', path: '/verifications', right: 'get' },
    summary: 'Has the node read a file or a tree: events `verifying` and `verified`, last `end`',
    query: z.strictObject({ name }),
    answers: { 200: { text: 'Server-sent events', schema: null, type: 'text/event-stream' } },
    run: async ({ who, query, response, signal }) => {
      require(who, 'get', query.name)
      const found = client.verify(at, { names: [query.name], ...credentials, signal })
      const stream = new EventStream(response)
      void tellEach(stream, found)
      return taken
    },
  })
}

type Found = ReturnType<typeof client.verify>

/** Of progress only the newest counts. */
async function tellEach(stream: EventStream, found: Found): Promise<void> {
  let [good, failed] = [0, 0]
  try {
    for await (const one of found) {
      if (stream.isOver) return
      if (one.event === 'verifying') stream.sendNewest(one.event, one)
      else {
        if (one.status === 'good') good++
        else failed++
        stream.send(one.event, one)
      }
    }
    stream.send('end', { good, failed })
  } catch (error) {
    stream.send('end', { good, failed, problem: problemOf(error) })
  }
  stream.end()
}
