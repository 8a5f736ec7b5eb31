import { describe, expect, it } from 'vitest'
import { assertCacheStable, CacheUnstableError } from '../../src/diagnosis/stable.ts'
import type { StableOptions } from '../../src/diagnosis/stable.ts'

const RULES = 'Name the price, the weight and the season of each tent.\n'.repeat(400)
const user = (text: string) => ({ role: 'user', content: [{ type: 'text', text }] })
const assistant = (text: string) => ({ role: 'assistant', content: [{ type: 'text', text }] })
const body = (messages: unknown[], clock = '10:41:07') => ({
  model: 'claude-opus-5',
  max_tokens: 100,
  system: [{ type: 'text', text: `Time: ${clock}\n${RULES}`, cache_control: { type: 'ephemeral' } }],
  messages,
})
const turns = [user('Which tent?'), assistant('The green one.'), user('And which stove?')]

/** What the assertion throws; fails where it throws nothing. */
function thrownBy(requests: readonly unknown[], options?: StableOptions): unknown {
  try {
    assertCacheStable(requests, options)
  } catch (thrown) {
    return thrown
  }
  throw new Error('nothing was thrown')
}

describe('assertCacheStable', () => {
  it('passes a conversation whose requests extend each other', () => {
    const requests = [
      body(turns.slice(0, 1)),
      body(turns),
      JSON.stringify(body([...turns, assistant('This one.'), user('How heavy?')])),
    ]
    expect(() => assertCacheStable(requests)).not.toThrow()
  })

  it('fails with verdict, index, place and fix where a clock stands in the prefix', () => {
    const error = thrownBy([body(turns.slice(0, 1)), body(turns), body(turns, '10:42:07')])
    expect(error).toBeInstanceOf(CacheUnstableError)
    expect(error).toMatchObject({
      name: 'CacheUnstableError',
      verdict: 'clock_in_prefix',
      index: 2,
      firstDifference: { path: 'system[0].text', at: 10 },
    })
    const { message } = error as CacheUnstableError
    expect(message).toContain('requests[2] would not read the cache of requests[1]: clock_in_prefix.')
    expect(message).toContain('system[0].text at character 10')
    expect(message).toContain('Fix: Move the time behind the last breakpoint')
  })

  it('fails where a small body differs, although the provider caches no body of that size', () => {
    const small = (clock: string) => ({
      ...body(turns),
      system: [{ type: 'text', text: `Time: ${clock}`, cache_control: { type: 'ephemeral' } }],
    })
    expect(thrownBy([small('10:41:07'), small('10:42:07')])).toMatchObject({ verdict: 'clock_in_prefix' })
  })

  it.each([
    ['an earlier turn is gone', [user('Which lamp?'), ...turns.slice(1), assistant('One.'), user('Two?')]],
    ['another question stands in place of the last turn', [user('Which lamp?')]],
    ['the later request is shorter', []],
  ])('fails where %s', (_, later) => {
    const error = thrownBy([body(turns.slice(0, 1)), body(later)])
    expect(error).toMatchObject({ verdict: 'history_rewritten' })
    expect((error as CacheUnstableError).firstDifference?.path).toMatch(/^messages\[0\]/)
  })

  it('passes other questions behind one prefix, where that is what is asserted', () => {
    const requests = [body([user('Which tent?')]), body([user('Which lamp?')])]
    expect(() => assertCacheStable(requests, { of: 'prefix' })).not.toThrow()
    const changed = [...requests, body([user('Which lamp?')], '10:59:00')]
    expect(thrownBy(changed, { of: 'prefix' })).toMatchObject({ index: 2, verdict: 'clock_in_prefix' })
  })

  it('fails on tools, headers and keys, as their provider compares them', () => {
    const tool = (name: string) => ({ name, description: `Does ${name}.`, input_schema: { type: 'object' } })
    const withTools = (...names: string[]) => ({ ...body(turns), tools: names.map(tool) })
    expect(thrownBy([withTools('look', 'buy'), withTools('buy', 'look')])).toMatchObject({ verdict: 'tool_order' })
    const beta = (name: string) => ({ request: body(turns), headers: { 'Anthropic-Beta': name } })
    expect(thrownBy([beta('one-2025-01-01'), beta('two-2025-01-01')])).toMatchObject({ verdict: 'beta_changed' })
    const openai = (key: string) => ({
      model: 'gpt-5.6-sol',
      prompt_cache_key: key,
      input: [{ role: 'user', content: RULES }],
    })
    expect(thrownBy([openai('a'), openai('b')])).toMatchObject({ verdict: 'cache_key_changed' })
  })

  it('accepts the verdicts that are allowed, and still fails on others', () => {
    const requests = [body(turns), body(turns, '10:42:07')]
    expect(() => assertCacheStable(requests, { allow: ['clock_in_prefix', 'history_rewritten'] })).not.toThrow()
    expect(thrownBy(requests, { allow: ['tool_order'] })).toMatchObject({ verdict: 'clock_in_prefix' })
  })

  it('takes a model beside bodies that name none', () => {
    const gemini = (text: string) => ({
      systemInstruction: { parts: [{ text }] },
      contents: [{ role: 'user', parts: [{ text: 'Hello.' }] }],
    })
    const options = { provider: 'gemini', model: 'gemini-3.5-flash' }
    expect(() => assertCacheStable([gemini(RULES), gemini(RULES)], options)).not.toThrow()
    expect(thrownBy([gemini(RULES), gemini(`At 10:41:07. ${RULES}`)], options)).toBeInstanceOf(CacheUnstableError)
  })

  it.each([
    ['one request', [body(turns)], /needs two requests or more/],
    ['no body', [body(turns), undefined], /requests\[1\] must be a provider's body/],
    ['a text that is no JSON', [body(turns), '{'], /requests\[1\]/],
    ['an envelope without a body', [body(turns), { status: 200 }], /requests\[1\] has no body/],
    ['a body of no known format', [{ hello: 1 }, { hello: 2 }], /request.model is missing/],
  ])('refuses %s', (_, requests, message) => {
    const error = thrownBy(requests)
    expect(error).not.toBeInstanceOf(CacheUnstableError)
    expect((error as Error).message).toMatch(message)
  })
})
