/** The description of the control API (OpenAPI 3.1), made of its routes. Pure. */
import { z } from 'zod'
import { errorTable } from '../../base/errors.js'
import { problemType } from '../problem.js'
import { asked, named, type Route, told } from './route.js'

type Json = Readonly<Record<string, unknown>>

export const problem = named(
  told,
  'Problem',
  z.object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.enum(Object.keys(errorTable)),
    retryable: z.boolean(),
    node: z.string().optional(),
  }),
)

const uri = (id: string): string => `#/components/schemas/${id}`

export function openApi(routes: readonly Route[], version: string, title: string): Json {
  const paths: Record<string, Record<string, Json>> = {}
  for (const one of routes) {
    const path = `/api/v1${one.path.replace('*}', '}')}`
    paths[path] = { ...paths[path], [one.method]: operation(one) }
  }
  return {
    openapi: '3.1.0',
    info: { title, version, license: { name: 'MIT', identifier: 'MIT' } },
    paths,
    components: {
      schemas: { ...componentsOf(asked, 'input'), ...componentsOf(told, 'output') },
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
    },
  }
}

function operation(one: Route): Json {
  const { id, summary, right, params, query, body, answers } = one
  const parameters = [...parametersOf('path', params), ...parametersOf('query', query)]
  return {
    operationId: id,
    summary,
    ...(right !== null && { description: `Needs the right \`${right}\`.` }),
    ...(right !== null && { security: [{ token: [] }] }),
    ...(parameters.length > 0 && { parameters }),
    ...(body !== null && {
      requestBody: { required: true, content: jsonOf(body, asked, 'input') },
    }),
    responses: {
      ...Object.fromEntries(
        Object.entries(answers).map(([status, { text, schema, type }]) => {
          if (type !== undefined) return [status, { description: text, content: { [type]: {} } }]
          const content = schema === null ? {} : { content: jsonOf(schema, told, 'output') }
          return [status, { description: text, ...content }]
        }),
      ),
      default: {
        description: 'A problem',
        content: { [problemType]: { schema: { $ref: uri('Problem') } } },
      },
    },
  }
}

function parametersOf(place: 'path' | 'query', object: z.ZodObject): Json[] {
  const { properties = {}, required = [] } = plain(object, 'input') as {
    properties?: Record<string, Json>
    required?: string[]
  }
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: place,
    ...(description !== undefined && { description }),
    required: place === 'path' || required.includes(name),
    schema,
  }))
}

function jsonOf(schema: z.ZodType, registry: typeof told, io: 'input' | 'output'): Json {
  const id = registry.get(schema)?.id
  const said = id === undefined ? plain(schema, io) : { $ref: uri(id) }
  return { 'application/json': { schema: said } }
}

function plain(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _, ...said } = z.toJSONSchema(schema, { io }) as Record<string, unknown>
  return said
}

/** Later versions may tell more: whoever reads an answer passes over what it does not know. */
function componentsOf(registry: typeof told, io: 'input' | 'output'): Json {
  const { schemas } = z.toJSONSchema(registry, {
    uri,
    io,
    override: ({ jsonSchema }) => {
      if (io === 'output') delete jsonSchema.additionalProperties
    },
  })
  return Object.fromEntries(
    Object.entries(schemas).map(([id, { $schema: _, $id: __, ...schema }]) => [id, schema]),
  )
}
