import { describe, expect, it } from 'vitest'
import { knownRoutes } from '../../src/http/app.ts'
import { openapi, operations } from '../../src/http/openapi.ts'

interface Document {
  openapi: string
  paths: Record<
    string,
    Record<string, { requestBody?: { content: Record<string, { schema: { properties: object } }> } }>
  >
  components: unknown
}

const document = async (): Promise<Document> => (await openapi.request('/openapi.json')).json()

describe('GET /openapi.json', () => {
  it('names every route that is mounted, and no other', async () => {
    const mounted = knownRoutes().map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`)
    const described = operations.map(({ method, path }) => `${method.toUpperCase()} ${path}`)
    expect(new Set(described)).toEqual(new Set(mounted))
    const { paths, ...rest } = await document()
    expect(
      Object.entries(paths)
        .flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`))
        .toSorted(),
    ).toEqual(described.toSorted())
    expect(rest).toMatchObject({
      openapi: '3.1.0',
      components: { securitySchemes: { account: { scheme: 'bearer' } } },
    })
  })

  it('describes the body of POST /warm with its fields', async () => {
    const { paths } = await document()
    const schema = paths['/warm']?.['post']?.requestBody?.content['application/json']?.schema
    expect(Object.keys(schema?.properties ?? {})).toEqual(
      expect.arrayContaining(['provider', 'request', 'cache', 'keep_warm', 'dry_run', 'background']),
    )
  })
})
