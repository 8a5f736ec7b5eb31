import * as z from 'zod'

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** One operation of the API, as the document describes it. */
export interface Operation {
  method: Lowercase<Method>
  path: string
  does: string
  key: 'account' | 'admin' | null
  body?: z.ZodType
  bodyOptional?: true
  query?: z.ZodObject
  idempotent?: true
  /** Status → schema; a string is the media type of an answer that is not JSON. */
  answers: Record<number, z.ZodType | string>
}

/** An operation without method, path and key. A schema alone is the answer of a 200. */
type Row = Omit<Operation, 'method' | 'path' | 'key' | 'answers'> & { answers: z.ZodType | Operation['answers'] }

/** Operations that take the same key, by method and path: `GET /prefixes/{id}`. */
export function operationsOf(key: Operation['key'], rows: Record<`${Method} /${string}`, Row>): Operation[] {
  return Object.entries(rows).map(([route, { answers, ...row }]) => {
    const [method = '', path = ''] = route.split(' ')
    return {
      ...row,
      method: method.toLowerCase() as Operation['method'],
      path,
      key,
      answers: answers instanceof z.ZodType ? { 200: answers } : answers,
    }
  })
}
