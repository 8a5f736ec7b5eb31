import { describe, expect, it } from 'vitest'
import { listOf } from '../../../src/contract/values.ts'
import { observedAnswer } from '../../../src/contract/warm.ts'
import { anthropicBody, get, longText, newAccount, pick, post, useLab, warm, warmedId } from '../support.ts'
import type { CallOptions } from '../support.ts'

useLab()

const usage = { input_tokens: 10, cache_read_input_tokens: 3_300, cache_creation_input_tokens: 0, output_tokens: 5 }

/** What is said of one request. */
async function observed(request: unknown, more: Record<string, unknown> = {}, options?: CallOptions) {
  const item = { provider: 'anthropic', request, usage, started_at: Date.now(), ...more }
  const answer = await post('/observations', [item], options)
  return listOf(observedAnswer).parse(answer.json).data[0]
}

const rules = (about: string) =>
  Array.from({ length: 400 }, (_, n) => `Rule ${n} of ${about} says what wheel ${n} does.`).join(' ')
const claude = (text: string, more: object = {}) => ({
  model: 'claude-opus-4-8',
  max_tokens: 900,
  tools: [{ name: 'look', description: 'd', input_schema: { type: 'object', properties: {} } }],
  system: [{ type: 'text', text, cache_control: { type: 'ephemeral' } }],
  messages: [{ role: 'user', content: 'Who?' }],
  ...more,
})

describe('a request that belongs to a prefix', () => {
  it('belongs to the longest one that it begins with, wherever its markers are', async () => {
    const text = longText()
    const head = await warmedId(claude(text))
    const turns = [
      { role: 'user', content: 'Read the first part.' },
      { role: 'assistant', content: [{ type: 'text', text: longText(40), cache_control: { type: 'ephemeral' } }] },
      { role: 'user', content: 'And the second?' },
    ]
    const longer = await warmedId(claude(text, { messages: turns }))
    expect(longer).not.toBe(head)
    const later = [...turns.slice(0, 2), { role: 'user', content: 'x' }, { role: 'assistant', content: 'y' }, turns[2]]
    const bare = JSON.parse(JSON.stringify(later).replaceAll(/,"cache_control":\{[^}]*\}/g, '')) as unknown
    expect(await observed(claude(text, { messages: bare }))).toEqual({ prefix_id: longer, matched: true })
    expect(await observed(claude(text, { messages: later.slice(2) }))).toEqual({ prefix_id: head, matched: true })
    expect(await observed(claude(text, { thinking: { type: 'adaptive' } }))).toEqual({ prefix_id: head, matched: true })
  })

  it('is registered as the same prefix, with the later name and plan', async () => {
    const text = longText()
    const first = await warm(claude(text), { name: `first-${text.slice(8, 30)}`, keep_warm: { plan: 'off' } })
    const name = `second-${text.slice(8, 30)}`
    const again = await warm(claude(text, { thinking: { type: 'adaptive' }, max_tokens: 4_000 }), {
      name,
      keep_warm: { plan: { probes: 3 } },
    })
    expect([pick(first, 'created'), pick(again, 'created'), pick(again, 'id')]).toEqual([
      true,
      false,
      pick(first, 'id'),
    ])
    const prefix = await get(`/prefixes/${String(pick(first, 'id'))}`)
    expect(prefix.json).toMatchObject({ name, keep_warm: { plan: { probes: 3 } } })
  })
})

describe('a request that belongs to none', () => {
  it.each<[string, (text: string) => unknown, string, string]>([
    ['drifted', (text) => claude(text.replace('10:41', '10:42')), 'system[0].text', 'drifted'],
    ['drifted', (text) => claude(`Build 4711. ${text}`), 'system[0].text', 'drifted'],
    [
      'drifted',
      (text) => claude(text, { tools: [{ name: 'new', input_schema: { type: 'object' } }] }),
      'tools[0].name',
      'drifted',
    ],
    ['drifted', (text) => claude(text, { speed: 'fast' }), 'speed', 'drifted'],
    ['of another model', (text) => claude(text, { model: 'claude-opus-4-7' }), 'model', 'other_model'],
  ])('is %s: case %#', async (_, sent, path, reason) => {
    const text = `${longText(1)} It is 10:41. ${rules(`mill ${crypto.randomUUID()}`)}`
    const name = `mill-${crypto.randomUUID()}`
    const id = await warmedId(claude(text), { name })
    const told = await observed(sent(text))
    expect(told).toMatchObject({ prefix_id: null, matched: false, reason, nearest: { prefix_id: id, name } })
    const { first_difference: first } = told!.nearest!
    expect(first?.path).toBe(path)
    expect(first?.registered).not.toBe(first?.sent)
    expect(Math.max(first!.registered.length, first!.sent.length)).toBeLessThanOrEqual(40)
  })

  it('has another cache key, or another credential, or none of the content', async () => {
    const chat = (key: string | undefined, text: string) => ({
      model: 'gpt-5.6-sol',
      prompt_cache_key: key,
      messages: [
        { role: 'developer', content: text },
        { role: 'user', content: 'Who?' },
      ],
    })
    const text = rules(crypto.randomUUID())
    const answer = await post('/warm', { provider: 'openai', request: chat('agent', text), keep_warm: { plan: 'off' } })
    const openai = { provider: 'openai', usage: { prompt_tokens: 9, completion_tokens: 1 } }
    expect(await observed(chat('ses_1', text), openai)).toMatchObject({
      reason: 'other_key',
      nearest: {
        prefix_id: pick(answer, 'id'),
        first_difference: { path: 'cache_key', at: 0, registered: 'agent', sent: 'ses_1' },
      },
    })
    expect(await observed(chat('agent', text), openai)).toMatchObject({ matched: true })
    expect(await observed(chat(undefined, text), { ...openai, provider: 'groq' })).toMatchObject({
      reason: 'other_provider',
    })
    const strange = Array.from({ length: 300 }, (_, n) => `Barrel ${n} holds ${n * 3} herrings!`).join(' ')
    expect(await observed(chat('agent', strange), openai)).toEqual({
      prefix_id: null,
      matched: false,
      reason: 'no_such_content',
    })
    expect(await observed({ model: 'gpt-5.6-sol', messages: [{ role: 'user', content: 'Hi' }] }, openai)).toMatchObject(
      {
        matched: false,
        reason: 'no_such_content',
      },
    )
  })

  it('is counted by reason, and tells one account nothing of another', async () => {
    const { key } = await newAccount()
    const text = rules(crypto.randomUUID())
    await warmedId(claude(text))
    const told = await observed(claude(`${text} More.`), {}, { key })
    expect(told).toEqual({ prefix_id: null, matched: false, reason: 'no_such_content' })
    await observed(anthropicBody(), {}, { key })
    const { text: metrics } = await get('/metrics', { key })
    expect(metrics).toContain('pilotlight_unmatched_observations_total{kind="no_such_content"} 2')
  })
})
