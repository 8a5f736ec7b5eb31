import { runDurableObjectAlarm } from 'cloudflare:test'
import { tick, until } from '../../support/worker.ts'
import { bindings } from '../support.ts'
import { warmOf } from './bodies.ts'
import type { Player } from './player.ts'
import { ADMIN } from './player.ts'

/** The deployment itself: open routes, paths that do not exist, request ids, the kill switch. */
export async function deployment(player: Player): Promise<void> {
  const open = { key: null }
  await player.get('/health', open)
  await tick()
  await player.get('/health', open)
  player.later(200_000)
  await player.get('/health', open)
  await player.get('/openapi.json', { key: null, isLong: true })
  await player.get('/', { key: null, isLong: true })
  for (const path of ['/', '/health', '/openapi.json', '/warm', '/prefixes', '/nowhere'])
    for (const method of ['HEAD', 'OPTIONS']) await player.ask(method, path, undefined, open)
  await player.ask('OPTIONS', '/warm', undefined, {
    key: null,
    headers: { origin: 'https://elsewhere.example', 'access-control-request-method': 'POST' },
  })
  await player.get('/prefixes', { headers: { origin: 'https://elsewhere.example' } })
  for (const path of ['/nowhere', '/warm/', '//health', '/Health', '/prefixes/a/b/c', '/%70refixes', '/health?x=1'])
    await player.get(path, open)
  for (const id of ['mine.1:2_3-4', 'two words', 'x'.repeat(100), 'x'.repeat(101)])
    await player.get('/health', { key: null, headers: { 'x-request-id': id } })
  await player.admin('POST', '/kill-switch', { on: true })
  await everyoneTold()
  await player.admin('GET', `/accounts/${player.account}`)
  await player.post('/warm', warmOf('killed'))
  await player.post('/bots', { provider: 'anthropic', model: 'claude-opus-5' })
  await player.admin('POST', '/kill-switch', { on: false })
  await everyoneTold()
  await player.admin('GET', '/kill-switch')
  await player.post('/warm', warmOf('killed'))
}

/** Waits until no account is to be told of a change any more: answers count those. The clock stands, so alarms are run from here. */
async function everyoneTold(): Promise<void> {
  const directory = bindings.DIRECTORY.getByName('directory')
  const isTold = async (): Promise<boolean> => {
    await runDurableObjectAlarm(directory)
    return (await directory.rollOut()).pending === 0
  }
  await until(isTold)
}

/** Every method that a path does not know. */
export async function methods(player: Player, paths: Record<string, Record<string, unknown>>): Promise<void> {
  for (const [path, known] of Object.entries(paths))
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'])
      if (known[method.toLowerCase()] === undefined) await player.ask(method, path.replaceAll(/\{\w+\}/g, 'x'))
}

/** The providers, and what the administrator says over their cards. */
export async function providers(player: Player): Promise<void> {
  await player.get('/providers', { isLong: true })
  const path = '/providers/anthropic'
  await player.admin('GET', path)
  await player.admin('PATCH', path, { models: [{ models: ['claude-opus-5'], minimum_tokens: 4_096 }] })
  player.later(31_000)
  await player.post('/warm', warmOf('below the minimum that was put over'))
  const price = {
    input: 1,
    cached_input: 0.1,
    cache_write: { '5m': 2 },
    output: 5,
    from: '2026-01-01',
    source: 'a test',
  }
  const retention = { name: '5m', ttl: '3m', kind: 'sliding', assumed: true }
  await player.admin('PATCH', path, {
    models: [{ models: ['claude-opus-*'], output_floor_tokens: 16, retentions: [retention], prices: [price] }],
  })
  player.later(31_000)
  await player.post('/warm', warmOf('at another price'))
  await player.admin('PATCH', path, { base_url: 'http://lab.test/anthropic/' })
  await everyoneTold()
  await player.admin('GET', path)
  for (const wrong of [
    { base_url: 'nonsense' },
    { base_url: 'http://user:pass@lab.test' },
    { models: [{ models: [] }] },
    { models: [{ models: ['a*b'] }] },
    { models: [{ models: ['a'], retentions: [{ ...retention, kind: 'other' }] }] },
    { models: [{ models: ['a'], prices: [{ ...price, input: -1 }] }] },
  ])
    await player.admin('PATCH', path, wrong)
  await player.admin('PATCH', path, { base_url: null, models: null })
  await player.admin('DELETE', path)
  await everyoneTold()
  await player.admin('GET', path)
  player.later(31_000)
  await player.get('/providers', { isLong: true })
  const added = '/providers/our-gpu'
  await player.admin('PUT', added, { like: 'vllm', base_url: 'http://lab.test/openai/v1', answer_timeout: '3m' })
  await player.admin('PUT', added, { like: 'vllm', base_url: 'http://lab.test/openai/v1', answer_timeout: '4m' })
  await player.admin('PUT', added, { like: 'anthropic', base_url: 'http://lab.test/anthropic' })
  await player.admin('PATCH', added, { base_url: null })
  await player.admin('PATCH', added, { models: [{ models: ['*'], prices: [{ ...price, cache_write: undefined }] }] })
  await player.admin('DELETE', added)
  await everyoneTold()
  await player.admin('GET', added)
  await player.admin('PUT', path, { like: 'vllm', base_url: 'http://lab.test/openai/v1' })
  await player.admin('PUT', added, { like: 'nobody', base_url: 'http://lab.test/openai/v1' })
  for (const method of ['GET', 'PATCH', 'DELETE'])
    await player.ask(method, '/providers/nobody', method === 'PATCH' ? {} : undefined, { key: ADMIN })
}
