import { MAX_TOKENS } from '../../src/core/prompt/template.ts'
import * as z from 'zod'
import { globSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { FAILURES } from '../../src/contract/failure.ts'
import { MOST_OBSERVATIONS } from '../../src/contract/observation.ts'
import { MOST_TOLD } from '../../src/contract/told.ts'
import { MAX_DEPTH } from '../../src/core/prompt/json-text.ts'
import { PREFIXES_PER_REGISTRY } from '../../src/durable/registry/prefixes/registrar.ts'
import { KEY_CACHE_MS } from '../../src/http/server/auth.ts'
import { MAX_REQUEST_BYTES } from '../../src/http/server/read-body.ts'
import { MAX_EXPORT_BYTES, MAX_EXPORT_VALUES } from '../../src/http/reports/read-export.ts'
import { operations } from '../../src/http/openapi.ts'
import { MAX_TOOLS, MAX_MEMBERS } from '../../src/providers/dialects/shared/body.ts'
import { cards } from '../../src/providers/registry.ts'
import { names, readText, root, section, tableRows } from './documents.ts'
import { FOREGROUND_MS } from '../../src/http/server/long-poll.ts'
import { MAX_PREFIX_BYTES, MAX_VALUES } from '../../src/registration/json-body.ts'

const api = readText('docs/api.md')
const number = (value: number): string => value.toLocaleString('en')

describe('docs/api.md', () => {
  it('describes every route and no other', () => {
    const described = [...api.matchAll(/^#+ (GET|POST|PATCH|PUT|DELETE) (\/\S*)$/gm)].map(
      ([, method, path]) => `${method} ${path}`,
    )
    const known = operations.map(({ method, path }) => `${method.toUpperCase()} ${path}`)
    expect(described.toSorted()).toEqual(known.toSorted())
  })

  it('shows every route once by an example that can be run', () => {
    const headings = operations
      .filter(({ path }) => path !== '/')
      .map(({ method, path }) => `${method.toUpperCase()} ${path}`)
    expect(headings.filter((heading) => !section(api, heading).includes('```sh\n'))).toEqual([])
  })

  it('has the table of failures as it is', () => {
    const rows = tableRows(section(api, 'Failures')).map(([kind, status, again]) => [kind, Number(status), again])
    const known = Object.entries(FAILURES).map(([kind, { status, retryable }]) => [
      `\`${kind}\``,
      status,
      retryable ? 'yes' : 'no',
    ])
    expect(rows).toEqual(known)
  })

  it('explains every cause of advice about limits', () => {
    const causes = readText('src/http/warm/dry-run-cost.ts').matchAll(/(?:cause: |told\()'(\w+)'/g)
    const known = [...causes].map(([, cause]) => cause ?? '')
    expect(known).toContain('unbounded_tokens')
    expect(known.filter((cause) => !api.includes(`\`${cause}\``))).toEqual([])
  })

  it('states the limits as they are', () => {
    const limits = new Map(tableRows(section(api, 'Limits')).map(([what, limit]) => [what, limit]))
    expect(limits.get('Body of a request')).toBe(
      `${MAX_REQUEST_BYTES / 2 ** 20} MiB (${number(MAX_REQUEST_BYTES)} bytes), and ${number(MAX_VALUES)} JSON values and keys`,
    )
    expect(limits.get('Prefix, after cutting at its end')).toBe(
      `${MAX_PREFIX_BYTES / 2 ** 20} MiB (${number(MAX_PREFIX_BYTES)} bytes)`,
    )
    expect(limits.get("Members of a provider's body, at its top")).toBe(number(MAX_MEMBERS))
    expect(limits.get('Templates of a request')).toContain(`${number(MAX_TOKENS)} tags`)
    expect(limits.get('Tools')).toBe(number(MAX_TOOLS))
    expect(limits.get('Depth of JSON')).toBe(`${MAX_DEPTH} levels`)
    expect(limits.get('Observations in one call')).toBe(number(MOST_OBSERVATIONS))
    const exported = limits.get('An export to `POST /v1/traces` or `/observations/litellm`')
    for (const limit of [MOST_TOLD, MAX_EXPORT_BYTES, MAX_EXPORT_VALUES]) expect(exported).toContain(number(limit))
    expect(limits.get('A foreground warm')).toContain(`${FOREGROUND_MS / 1_000} s`)
    expect(limits.get('Prefixes of an account')).toContain(number(PREFIXES_PER_REGISTRY))
    expect(api).toContain(`works for at most ${KEY_CACHE_MS / 1_000} more seconds`)
  })

  it('names every provider and every member of its requests', () => {
    for (const { id } of cards) expect(api).toContain(`\`${id}\``)
    const warm = section(api, 'POST /warm')
    const schema = operations.find(({ path }) => path === '/warm')?.body as unknown as {
      shape: Record<string, unknown>
    }
    const described = tableRows(warm).flatMap(([member]) => names(member).map((name) => name.split('.')[0]))
    expect(described).toEqual(expect.arrayContaining(Object.keys(schema.shape)))
  })

  it('names every member of its requests and answers', async () => {
    const files = globSync('src/contract/*.ts', { cwd: root }).map((path) => resolve(root, path))
    const answers = (await Promise.all(files.map((path) => import(path)))) as Record<string, unknown>[]
    const members = answers
      .flatMap((exported) => Object.values(exported))
      .flatMap((schema) => (schema instanceof z.ZodObject ? Object.keys(schema.shape) : []))
    expect(members.length).toBeGreaterThan(50)
    expect([...new Set(members)].filter((member) => !new RegExp(`\\b${member}\\b`).test(api))).toEqual([])
  })
})
