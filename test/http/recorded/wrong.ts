import { warmOf } from './bodies.ts'
import { ADMIN } from './player.ts'
import type { Player } from './player.ts'

/** What the document of the API says of one route, as far as the script needs it. */
export interface Operation {
  method: string
  path: string
  key: 'account' | 'admin' | null
  hasBody: boolean
  isIdempotent: boolean
  query: string[]
  statuses: number[]
}

interface Document {
  paths: Record<
    string,
    Record<
      string,
      {
        security: Record<string, unknown>[]
        requestBody?: unknown
        parameters?: { name: string; in: string }[]
        responses: Record<string, unknown>
      }
    >
  >
}

export function operationsOf(document: Record<string, unknown>): Operation[] {
  return Object.entries((document as unknown as Document).paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, said]) => {
      const parameters = said.parameters ?? []
      return {
        method: method.toUpperCase(),
        path,
        key: (Object.keys(said.security[0] ?? {})[0] ?? null) as Operation['key'],
        hasBody: said.requestBody !== undefined,
        isIdempotent: parameters.some(({ name }) => name === 'Idempotency-Key'),
        query: parameters.filter((one) => one.in === 'query').map(({ name }) => name),
        statuses: Object.keys(said.responses)
          .filter((status) => status !== 'default')
          .map(Number),
      }
    }),
  )
}

const ZEROS = '0'.repeat(24)

/** A path whose ids have the right form and are nobody's. */
function strange(player: Player, path: string): string {
  return path
    .replace('/accounts/{id}', `/accounts/${player.account}`)
    .replace('/prefixes/{id}', `/prefixes/pfx_0_${ZEROS}`)
    .replace('/jobs/{id}', `/jobs/job_${ZEROS}`)
    .replace('/bots/{id}', `/bots/bot_${ZEROS}`)
    .replace('/caches/{id}', `/caches/cch_0_${ZEROS}`)
    .replace('/providers/{id}', '/providers/anthropic')
    .replace('{kid}', '000000000000')
    .replace('{name}', 'nobodys')
}

/** Keys: none, an unknown one, the other kind. */
export async function keys(player: Player, operations: readonly Operation[]): Promise<void> {
  for (const { method, path, key, hasBody } of operations) {
    if (key === null) continue
    const at = strange(player, path)
    const body = hasBody ? {} : undefined
    await player.ask(method, at, body, { key: null })
    await player.ask(method, at, body, { key: 'of-nobody' })
    if (key === 'admin') await player.ask(method, at, body)
    else await player.admin(method, at, body)
  }
  const [first] = operations.filter(({ key }) => key === 'account')
  const at = strange(player, first?.path ?? '')
  const other = `plk_${player.account}_${'0'.repeat(12)}_${'0'.repeat(72)}`
  for (const authorization of ['', 'Bearer', 'Bearer ', 'Basic YTpi', `bearer ${player.key}`, `Bearer ${other}`])
    await player.ask('POST', at, {}, { key: null, headers: { authorization } })
}

/** Ids that are nobody's, and texts that are no ids. */
export async function strangers(player: Player, operations: readonly Operation[]): Promise<void> {
  for (const { method, path, key, hasBody } of operations) {
    if (!/\{(id|name|kid)\}/.test(path) || method === 'PUT') continue
    const asked = key === 'admin' ? { key: ADMIN } : {}
    const body = hasBody ? {} : undefined
    if (path !== '/accounts/{id}' || method === 'PATCH') await player.ask(method, strange(player, path), body, asked)
    await player.ask(method, path.replaceAll(/\{\w+\}/g, 'no%20id'), body, asked)
  }
  for (const [path, body] of [
    ['messages', { text: 'Hello' }],
    ['events', { type: 'message', data: { text: 'Hello' } }],
    ['next-turn-cache', { cache: 'auto' }],
  ] as const)
    await player.post(`/bots/bot_${ZEROS}/${path}`, body)
  for (const [path, body] of [
    ['signals', { kind: 'end' }],
    ['announce', { at: '2031-12-31T00:00:00Z' }],
    ['preview', { keep_warm: {} }],
  ] as const)
    await player.post(`/prefixes/pfx_0_${ZEROS}/${path}`, body)
  await player.ask('PATCH', `/caches/cch_0_${ZEROS}`, { ttl: '2h' })
}

/** Each kind of body that cannot be read, at each route that takes one. */
export async function bodies(player: Player, operations: readonly Operation[]): Promise<void> {
  const wrong: [body: string | Uint8Array, headers: Record<string, string>][] = [
    ['', {}],
    ['{', {}],
    ['null', {}],
    ['[]', {}],
    ['{"nobodys_member":1}', {}],
    ['{"a":1,"a":2}', {}],
    ['{"a":"\\ud800"}', {}],
    [new Uint8Array([0x22, 0xff, 0x22]), {}],
    ['{}', { 'content-type': 'text/plain' }],
    ['{}', { 'content-encoding': 'gzip' }],
  ]
  for (const { method, path, key, hasBody, isIdempotent } of operations) {
    const asked = key === 'admin' ? { key: ADMIN } : {}
    const at = strange(player, path)
    if (hasBody) for (const [body, headers] of wrong) await player.ask(method, at, body, { ...asked, headers })
    if (key === 'admin' || isIdempotent)
      for (const name of key === 'admin' ? ['key-1'] : ['two words', 'x'.repeat(256)])
        await player.ask(method, at, hasBody ? {} : undefined, { ...asked, headers: { 'idempotency-key': name } })
  }
}

/** Queries that cannot be meant. */
export async function queries(player: Player, operations: readonly Operation[]): Promise<void> {
  for (const { method, path, key, query } of operations) {
    const asked = key === 'admin' ? { key: ADMIN } : {}
    for (const name of [...query, ...(query.length > 0 ? ['nobodys'] : [])])
      await player.ask(method, `${strange(player, path)}?${name}=no%20value`, undefined, asked)
  }
}

/** Limits of size and number. */
export async function limits(player: Player): Promise<void> {
  const spaces = ' '.repeat(8 * 1024 * 1024)
  await player.post('/warm', `{}${spaces}`)
  await player.post('/warm', `[${'1,'.repeat(400_001)}1]`)
  await player.post('/warm', `${'['.repeat(200)}${']'.repeat(200)}`)
  await player.post('/warm', `{"provider":"anthropic","request":${'['.repeat(200)}${']'.repeat(200)}}`)
  const many = Array.from({ length: 2_049 }, (_, index) => ({ name: `t${index}` }))
  await player.post('/warm', { provider: 'anthropic', model: 'claude-opus-5', system: 'Hello.', tools: many })
  const system = 'x'.repeat(4 * 1024 * 1024)
  await player.post('/warm', { provider: 'anthropic', model: 'claude-opus-5', system })
  await player.post(
    '/observations',
    Array.from({ length: 1_001 }, () => ({})),
  )
  await player.post('/preload', { agents: Array.from({ length: 65 }, () => ({})) })
}

/** Fields of a warm that are refused by name. */
export async function fields(player: Player): Promise<void> {
  const neutral = { provider: 'anthropic', model: 'claude-opus-5', system: 'Hello.' }
  for (const wrong of [
    { ...warmOf('x'), provider: 'nobody' },
    { ...warmOf('x'), provider: undefined },
    { provider: 'anthropic' },
    { ...warmOf('x'), system: 'beside a request' },
    { provider: 'anthropic', request: [] },
    { provider: 'anthropic', request: { messages: [] } },
    { provider: 'gemini', request: { contents: [] } },
    { ...warmOf('x'), model: 'claude-opus-4-8' },
    { ...warmOf('x'), name: 'x'.repeat(201) },
    { ...neutral, messages: [{ role: 'system', content: 'x' }] },
    { ...neutral, tool_filter: { allow: ['nobody'] } },
    { ...neutral, vars: { unused: 1 } },
    { ...neutral, system: 'For {{ who }}.', vars: {} },
    { ...neutral, system: 'For {{ who', vars: { who: 'x' } },
    { ...neutral, system: '' },
    { ...neutral, model: 'two words' },
    { ...neutral, max_output_tokens: 5_000 },
    { ...neutral, credential: 5 },
    { ...neutral, lint: 'loud' },
    { ...neutral, dry_run: 'yes' },
    { ...neutral, background: 1 },
    { ...neutral, headers: { authorization: 'Bearer x' } },
    { ...neutral, headers: { 'anthropic-beta': 5 } },
    { ...neutral, cache: 'off' },
    { ...neutral, cache: { mode: 'disabled' } },
    { ...neutral, cache: { strategy: 'mine' } },
    { ...neutral, cache: { strategy: { explicit: [], last: 1 } } },
    { ...neutral, cache: { breakpoints: 2, handle: 'cachedContents/x' } },
    { ...neutral, cache: { breakpoints: 0 } },
    { ...neutral, cache: { retention: '' } },
    { ...neutral, keep_warm: { plan: 'often' } },
    { ...neutral, keep_warm: { plan: { probes: -1 } } },
    { ...neutral, keep_warm: { until: 'tomorrow' } },
    { ...neutral, keep_warm: { idle_timeout: '5 minutes' } },
    { ...neutral, keep_warm: { budget_usd_per_day: -1 } },
    { ...neutral, keep_warm: { holdout: 2 } },
    { ...neutral, keep_warm: { windows: [{ days: 'never', from: '06:00', to: '23:00' }] } },
    { ...neutral, keep_warm: { windows: [{ days: 'mon', from: '6', to: '23:00', time_zone: 'Moon/Base' }] } },
    { ...neutral, gateway: 'nobodys' },
    { ...neutral, gateway_models: 'some' },
    { gateway: 'nobodys', system: 'x' },
    { ...neutral, system: 'Too short to be cached.' },
  ])
    await player.post('/warm', wrong)
}
