import { describe, expect, it, vi } from 'vitest'
import { requestAnswer } from '../../../src/contract/prefix.ts'
import { anthropicBody, get, pick, post, useLab, warmOf } from '../support.ts'

const world = useLab()
const beta = { 'anthropic-beta': 'context-1m-2025-08-07' }

/** Headers of the calls that the provider was sent, oldest first. */
function sent(name: string): (string | null)[] {
  return vi.mocked(globalThis.fetch).mock.calls.map(([, init]) => new Headers(init?.headers).get(name))
}

describe('headers of real requests', () => {
  it('are sent with every probe, with our credential and none of theirs', async () => {
    const warmed = await post('/warm', warmOf(anthropicBody(), { headers: beta }))
    expect(pick(warmed, 'receipt', 'kind')).toBe('written')
    const id = pick(warmed, 'id')
    expect((await post(`/prefixes/${id}/warm`)).status).toBe(200) // from what was stored
    expect(sent('anthropic-beta')).toEqual([beta['anthropic-beta'], beta['anthropic-beta']])
    expect(sent('x-api-key')).toEqual(['lab', 'lab'])
    const shown = requestAnswer.parse((await get(`/prefixes/${id}/request`)).json)
    expect(shown.headers).toEqual({ 'anthropic-version': '2023-06-01', ...beta })
    expect(world.lab.transcript.list().every(({ status }) => status === 200)).toBe(true)
  })

  it('make another prefix of the same body, and none of another spelling of the same headers', async () => {
    const request = anthropicBody()
    const id = async (headers: object) =>
      pick(await post('/warm', warmOf(request, { dry_run: true, ...headers })), 'id')
    const plain = await id({})
    const two = await id({ headers: { 'anthropic-beta': 'a,b' } })
    expect(await id({ headers: {} })).toBe(plain)
    expect(two).not.toBe(plain)
    expect(await id({ headers: { 'Anthropic-Beta': 'b, a' } })).toBe(two)
  })

  it('are needed to recognise a real request', async () => {
    const request = anthropicBody()
    const warmed = await post('/warm', warmOf(request, { headers: beta }))
    const one = {
      provider: 'anthropic',
      request,
      usage: { input_tokens: 5, cache_read_input_tokens: 3_000, cache_creation_input_tokens: 0, output_tokens: 3 },
      started_at: new Date().toISOString(),
    }
    const answer = await post('/observations', [{ ...one, headers: beta }, one])
    expect(pick(answer, 'data', 0)).toEqual({ prefix_id: pick(warmed, 'id'), matched: true })
    expect(pick(answer, 'data', 1, 'matched')).toBe(false)
  })

  it.each([
    [{ 'x-trace': '1' }, 'headers.x-trace'],
    [{ Authorization: 'Bearer sk-secret' }, 'headers.Authorization'],
    [{ 'anthropic-beta': 'a\nb' }, 'headers.anthropic-beta'],
    ['a', 'headers'],
  ])('%j is refused by its name, and nothing is sent', async (headers, field) => {
    const answer = await post('/warm', warmOf(anthropicBody(), { headers }))
    expect(answer.json).toMatchObject({ error: { kind: 'invalid_request', detail: { field } } })
    expect(answer.text).not.toContain('sk-secret')
    expect(sent('anthropic-beta')).toEqual([])
  })

  it('that the provider takes are listed with it', async () => {
    const { json } = await get('/providers')
    const listed = json['data'] as { id: string; caller_headers: string[] }[]
    const of = (id: string) => listed.find((one) => one.id === id)?.caller_headers
    expect([of('anthropic'), of('groq')]).toEqual([['anthropic-beta', 'anthropic-version'], []])
  })
})
