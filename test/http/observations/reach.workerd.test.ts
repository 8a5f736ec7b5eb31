import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { listOf } from '../../../src/contract/values.ts'
import { observedAnswer } from '../../../src/contract/warm.ts'
import { bindings, get, longText, post, useLab, warmedId } from '../support.ts'

useLab()

const marker = { cache_control: { type: 'ephemeral' } }
const part = (text: string, more: object = {}) => ({ type: 'text', text, ...more })
const claude = (system: unknown, more: object = {}) => ({
  model: 'claude-opus-4-8',
  max_tokens: 900,
  system,
  messages: [{ role: 'user', content: 'Who?' }],
  ...more,
})
const missed = { input_tokens: 3_310, cache_read_input_tokens: 0, cache_creation_input_tokens: 0, output_tokens: 5 }
const wrote = { ...missed, input_tokens: 10, cache_creation_input_tokens: 3_900 }
const read = { ...missed, input_tokens: 10, cache_read_input_tokens: 3_300 }

/** What is said of one request. */
async function observed(provider: string, request: unknown, usage: object) {
  const answer = await post('/observations', [{ provider, request, usage, started_at: Date.now() }])
  const [said] = listOf(observedAnswer).parse(answer.json).data
  return { id: said?.prefix_id, matched: said?.matched, causes: (said?.advice ?? []).map(({ cause }) => cause) }
}

/** What the prefix says of its entry and of real requests. */
async function standing(id: string) {
  const { json } = await get(`/prefixes/${id}`)
  const { hits, misses, warmth, drift } = json
  return { hits, misses, warmth, drift }
}

describe('a request that could not read the entry', () => {
  const far = (count: number) => [
    {
      role: 'user',
      content: [...Array.from({ length: count - 1 }, (_, n) => part(`Part ${n}.`)), part('End.', marker)],
    },
  ]
  it.each<[string, (text: string) => object, string]>([
    ['without a marker', (text) => claude(text), 'no_marker'],
    ['with a marker in front of the end', (text) => claude([part('Be kind.', marker), part(text)]), 'behind_marker'],
    ['with its marker 21 blocks behind', (text) => claude(text, { messages: far(21) }), 'beyond_lookback'],
  ])('is matched, told, and no evidence: %s', async (_, sent, cause) => {
    const text = longText()
    const head = cause === 'behind_marker' ? [part('Be kind.'), part(text, marker)] : [part(text, marker)]
    const id = await warmedId(claude(head), { keep_warm: { plan: 'always' } })
    vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 1_000) // p_warm falls with time alone
    const before = await standing(id)
    for (const usage of [missed, wrote, missed, missed]) {
      expect(await observed('anthropic', sent(text), usage)).toEqual({ id, matched: true, causes: [cause] })
    }
    expect(await standing(id)).toEqual(before)
    // What it read shows that it could.
    expect(await observed('anthropic', sent(text), read)).toEqual({ id, matched: true, causes: [] })
    expect(await standing(id)).toMatchObject({ hits: 1, misses: 0 })
  })

  it('differs from one that could: its miss counts', async () => {
    const text = longText()
    const id = await warmedId(claude([part(text, marker)]), { keep_warm: { plan: 'always' } })
    expect(await observed('anthropic', claude(text, { messages: far(20) }), missed)).toEqual({
      id,
      matched: true,
      causes: [],
    })
    expect(await observed('anthropic', claude([part(text, marker)]), missed)).toEqual({ id, matched: true, causes: [] })
    expect(await standing(id)).toMatchObject({ hits: 0, misses: 2 })
  })
})

describe('a request that another upstream answers', () => {
  const before = bindings.LAB_PROVIDERS ?? ''
  beforeAll(() => {
    bindings.LAB_PROVIDERS = `${before},openrouter`
  })
  afterAll(() => {
    bindings.LAB_PROVIDERS = before
  })

  const router = (text: string, more: object = {}) => ({
    model: 'lab-router',
    messages: [
      { role: 'system', content: text },
      { role: 'user', content: 'Who?' },
    ],
    ...more,
  })
  const usage = (cached_tokens: number) => ({
    prompt_tokens: 3_300,
    completion_tokens: 3,
    prompt_tokens_details: { cached_tokens },
  })

  it('is matched and told, whichever members it differs in', async () => {
    const text = longText()
    const own = { provider: { order: ['one'], allow_fallbacks: false } }
    const id = await warmedId(router(text, own), { provider: 'openrouter' })
    for (const provider of [
      { order: ['one'], sort: 'price' },
      { order: ['one'], data_collection: 'deny' },
    ])
      expect(await observed('openrouter', router(text, { provider }), usage(0))).toEqual({
        id,
        matched: true,
        causes: [],
      })
    const { misses } = await standing(id)
    for (const provider of [undefined, { order: ['two'] }, { only: ['one'] }, { order: ['one', 'two'] }]) {
      expect(await observed('openrouter', router(text, { provider }), usage(0))).toEqual({
        id,
        matched: true,
        causes: ['other_upstream'],
      })
    }
    expect(await standing(id)).toMatchObject({ misses })
  })
})
