import { expect, test } from 'vitest'
import { providerAnswer } from '../../../src/contract/provider.ts'
import { cards } from '../../../src/providers/registry.ts'
import { get, post } from '../support.ts'

const rules = 'Answer from the policy. '.repeat(400)
const request = (model: string) => ({
  model,
  messages: [
    { role: 'system', content: rules },
    { role: 'user', content: 'Hi' },
  ],
})

test('every card is shown with its facts, its sources, and why it is not warmed', async () => {
  const answer = await get('/providers')
  const shown = providerAnswer.array().parse(answer.json['data'])
  expect(shown.map(({ id }) => id)).toEqual(cards.map(({ id }) => id))
  const byId = Object.fromEntries(shown.map((one) => [one.id, one]))
  expect(byId['cohere']).toMatchObject({ refusal: expect.stringContaining('nothing is documented'), models: [] })
  expect(byId['cohere']?.facts['clock']).toMatchObject({ says: null })
  expect(byId['perplexity']?.refusal).toContain('search')
  expect(byId['azure-openai']).toMatchObject({
    refusal: expect.stringContaining('AZURE_OPENAI_BASE_URL'),
    variables: ['AZURE_OPENAI_BASE_URL'],
  })
  expect(byId['groq']).toMatchObject({ refusal: null, variables: [] })
  const sol = byId['openai']?.models.find(({ models }) => models.includes('gpt-6-sol'))
  expect(sol?.price_usd_per_million_tokens).toMatchObject({
    input: 2,
    over: { tokens: 272_000, input: 4, cached_input: 0.4 },
  })
  expect(answer.text).not.toContain('lab.test/openai/v1/chat')
})

test('a provider that is not warmed is refused in words, by a dry run as well', async () => {
  for (const provider of ['cohere']) {
    for (const dry_run of [true, false]) {
      const answer = await post('/warm', { provider, request: request('command-a'), dry_run })
      expect(answer.status).toBe(422)
      expect(answer.json).toMatchObject({ error: { kind: 'unsupported', detail: { field: 'provider' } } })
    }
  }
  const perplexity = await post('/warm', { provider: 'perplexity', model: 'openai/gpt-6.1-sol', system: rules })
  expect(perplexity.json).toMatchObject({
    error: { kind: 'unsupported', message: expect.stringContaining('WARM_ANYWAY') },
  })
})

test('a dry run shows what a card with a key in a header would do', async () => {
  const answer = await post('/warm', {
    provider: 'xai',
    request: request('grok-4.6'),
    cache: { key: 'chat-1' },
    dry_run: true,
  })
  expect(answer.status).toBe(200)
  expect(answer.json).toMatchObject({ provider: 'xai', primitives: ['one_token', 'floor_tokens'] })
})

test('a provider without a credential is refused before anything is stored', async () => {
  const answer = await post('/warm', { provider: 'groq', request: request('openai/gpt-oss-120b') })
  expect(answer.json).toMatchObject({ error: { kind: 'provider_key_refused', detail: { secret: 'GROQ_API_KEY' } } })
})
