/** Routes that every door has: its own description, and what the codes of errors mean. */
import { z } from 'zod'
import { errorTable, type FrErrorCode } from '../../base/errors.js'
import { code, fact, text } from './node-schemas.js'
import { openApi } from './openapi.js'
import { named, type Route, route, told } from './route.js'

const meaning = named(told, 'ErrorMeaning', z.object({ code, meaning: text, retryable: fact }))

export function withCommonRoutes(
  routes: readonly Route[],
  version: string,
  title: string,
): Route[] {
  const all: Route[] = [
    ...routes,
    route({
      ...{ id: 'describe', method: 'get', path: '/openapi.json', right: null },
      summary: 'This description (OpenAPI 3.1)',
      answers: { 200: { text: 'OpenAPI', schema: null, type: 'application/json' } },
      run: async () => ({ status: 200, body: described() }),
    }),
    route({
      ...{ id: 'getProblem', method: 'get', path: '/problems/{code}', right: null },
      summary: 'What the code of an error means',
      params: z.strictObject({ code }),
      answers: { 200: { text: 'The meaning', schema: meaning } },
      run: async ({ params }) => ({ status: 200, body: meaningOf(params.code) }),
    }),
  ]
  let description: unknown
  const described = (): unknown => {
    description ??= openApi(all, version, title)
    return description
  }
  return all
}

function meaningOf(code: FrErrorCode) {
  const { meaning, retryable } = errorTable[code]
  return { code, meaning, retryable }
}
