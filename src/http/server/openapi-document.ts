import * as z from 'zod'
import { errorAnswer } from '../../contract/failure-answer.ts'
import { FAILURES } from '../../contract/failure.ts'
import { VERSION } from '../../runtime/version.ts'
import type { Operation } from './openapi-operation.ts'

type Json = Record<string, unknown>

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Json
  return rest
}

function operationJson(operation: Operation): Json {
  const { does, key, body, query, path, answers: given } = operation
  const parameters = [
    ...[...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
      name,
      in: 'path',
      required: true,
      schema: { type: 'string' },
    })),
    ...Object.entries(query?.shape ?? {}).map(([name, schema]) => ({
      name,
      in: 'query',
      required: false,
      schema: schemaOf(schema as z.ZodType, 'input'),
    })),
    ...(operation.idempotent === true
      ? [{ name: 'Idempotency-Key', in: 'header', required: false, schema: { type: 'string', maxLength: 255 } }]
      : []),
  ]
  const responses: Json = {}
  for (const [status, answer] of Object.entries(given)) {
    const [media, schema] =
      typeof answer === 'string' ? [answer, { type: 'string' }] : ['application/json', schemaOf(answer, 'output')]
    responses[status] = { description: 'Done.', content: { [media]: { schema } } }
  }
  responses['default'] = { $ref: '#/components/responses/Failure' }
  return {
    summary: does,
    operationId: `${operation.method}${path.replaceAll(/[{}]/g, '').replaceAll(/\W+(\w?)/g, (_, letter: string) => letter.toUpperCase())}`,
    security: key === null ? [] : [{ [key]: [] }],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: operation.bodyOptional !== true,
            content: { 'application/json': { schema: schemaOf(body, 'input') } },
          },
        }),
    responses,
  }
}

/** The OpenAPI 3.1 document, from the schemas that parse requests. */
export function openapiDocument(operations: readonly Operation[]): Json {
  const paths: Record<string, Json> = {}
  for (const operation of operations) {
    paths[operation.path] = { ...paths[operation.path], [operation.method]: operationJson(operation) }
  }
  const bearer = (description: string) => ({ type: 'http', scheme: 'bearer', description })
  const table = Object.entries(FAILURES).map(
    ([kind, { status, retryable }]) => `${kind}: ${status}${retryable ? ', can be retried' : ''}`,
  )
  return {
    openapi: '3.1.0',
    info: { title: 'Pilotlight', version: VERSION, description: "Keeps LLM providers' prompt caches warm." },
    paths,
    components: {
      securitySchemes: { account: bearer("An account's key."), admin: bearer("The administrator's key.") },
      responses: {
        Failure: {
          description: `A failure. Its kinds: ${table.join(' · ')}`,
          content: { 'application/json': { schema: schemaOf(errorAnswer, 'output') } },
        },
      },
    },
  }
}
