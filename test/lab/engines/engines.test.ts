import { describe, expect, it } from 'vitest'
import { at, caller, tokens } from '../caller.ts'
import type { Caller, Json, Reply } from '../caller.ts'
import type { EngineName } from './engines.ts'
import { ENGINES } from './engines.ts'
import { MINUTE_MS } from '../time.ts'

function body(seed = 'rules', more: Json = {}): Json {
  return {
    model: 'tiny',
    max_tokens: 1,
    messages: [
      { role: 'system', content: tokens(4000, seed) },
      { role: 'user', content: 'Which tent for two?' },
    ],
    ...more,
  }
}

const readOf = ({ json }: Reply): unknown => at(json, 'usage.prompt_tokens_details.cached_tokens')

const twoSlots = (hostCacheTokens = 0): Caller => caller({ engines: { 'llama-cpp': { slots: 2, hostCacheTokens } } })

async function reads(lab: Caller, engine: EngineName, bodies: Json[]): Promise<unknown[]> {
  const read: unknown[] = []
  for (const one of bodies) read.push(readOf(await lab.engine(engine, one)))
  return read
}

describe('llama.cpp’s server', () => {
  it('counts the whole prompt, what it read of it, and the same in its timings', async () => {
    const lab = twoSlots()
    const cold = await lab.engine('llama-cpp', body())
    expect(cold.json).toMatchObject({
      object: 'chat.completion',
      usage: { completion_tokens: 1, prompt_tokens_details: { cached_tokens: 0 } },
      timings: { cache_n: 0 },
    })
    const total = Number(at(cold.json, 'usage.prompt_tokens'))
    expect(total).toBeGreaterThan(4022)
    const warm = await lab.engine('llama-cpp', body())
    expect([readOf(warm), at(warm.json, 'timings.cache_n'), at(warm.json, 'timings.prompt_n')]).toEqual([
      total - 1,
      total - 1,
      1,
    ])
  })

  it('reads 22 to 25 tokens of a prompt that is new to it: the head of the chat template', async () => {
    const [, second, third] = await reads(twoSlots(), 'llama-cpp', [body('one'), body('two'), body('three')])
    expect(second).toBe(0) // the second slot is empty
    expect(third).toBeGreaterThanOrEqual(22)
    expect(third).toBeLessThanOrEqual(25)
  })

  it('loses a prompt when others take both slots, and keeps it where the host has a cache', async () => {
    const others = ['b', 'c', 'd', 'e'].map((seed) => body(seed))
    const [without] = (await reads(twoSlots(), 'llama-cpp', [body('a'), ...others, body('a')])).slice(-1)
    const [with_] = (await reads(twoSlots(200_000), 'llama-cpp', [body('a'), ...others, body('a')])).slice(-1)
    expect(without).toBeLessThan(26)
    expect(with_).toBeGreaterThan(4000)
  })

  it('keeps a prompt in its own slot with id_slot, and reuses nothing without cache_prompt', async () => {
    const lab = twoSlots()
    await lab.engine('llama-cpp', body('a', { id_slot: 0 }))
    for (const seed of 'bcd') await lab.engine('llama-cpp', body(seed, { id_slot: 1 }))
    expect(readOf(await lab.engine('llama-cpp', body('a', { id_slot: 0 })))).toBeGreaterThan(4000)
    expect(readOf(await lab.engine('llama-cpp', body('a', { id_slot: 0, cache_prompt: false })))).toBe(0)
    // A slot that there is not is no slot.
    expect(readOf(await lab.engine('llama-cpp', body('a', { id_slot: 5 })))).toBeGreaterThan(4000)
  })

  it('reads its own answer in the next turn', async () => {
    const lab = twoSlots()
    const first = await lab.engine('llama-cpp', body('a', { max_tokens: 50 }))
    const total = Number(at(first.json, 'usage.prompt_tokens'))
    const said = at(first.json, 'choices.0.message.content')
    const messages = [
      ...(body('a')['messages'] as Json[]),
      { role: 'assistant', content: said },
      { role: 'user', content: 'And for three?' },
    ]
    expect(readOf(await lab.engine('llama-cpp', body('a', { messages })))).toBeGreaterThan(total)
  })

  it('refuses a prompt longer than its slot with both counts', async () => {
    const { engine } = caller({ engines: { 'llama-cpp': { contextTokens: 2000 } } })
    const { status, json } = await engine('llama-cpp', body())
    expect(status).toBe(400)
    expect(json).toMatchObject({ error: { code: 400, type: 'exceed_context_size_error', n_ctx: 2000 } })
    expect(at(json, 'error.n_prompt_tokens')).toBeGreaterThan(4000)
  })

  it('streams, with usage when it is asked for and timings at the end', async () => {
    const lab = twoSlots()
    const plain = await lab.engine('llama-cpp', body('a', { stream: true }))
    expect(plain.text).not.toContain('"usage"')
    expect(plain.text).toContain('"cache_n":0')
    const told = await lab.engine('llama-cpp', body('a', { stream: true, stream_options: { include_usage: true } }))
    expect(told.text).toMatch(/"choices":\[\],"usage":\{.*"cached_tokens":40\d\d/)
    expect(told.text.trimEnd().endsWith('data: [DONE]')).toBe(true)
  })

  it('has one cache for every key, and none after a restart with other options', async () => {
    const lab = twoSlots()
    await lab.engine('llama-cpp', body('a'), 'key-a')
    expect(readOf(await lab.engine('llama-cpp', body('a'), 'key-b'))).toBeGreaterThan(4000)
    const change = await lab.send('POST', '/_lab/engines', { engine: 'llama-cpp', slots: 1 })
    expect(change.json).toMatchObject({ slots: 1, hostCacheTokens: 0 })
    expect(readOf(await lab.engine('llama-cpp', body('a')))).toBe(0)
  })
})

describe('vLLM and SGLang', () => {
  it.each(['vllm', 'sglang'] as const)('%s reports nothing cached unless it was started so', async (engine) => {
    const quiet = caller()
    await quiet.engine(engine, body())
    const { json } = await quiet.engine(engine, body())
    expect(at(json, 'usage.prompt_tokens_details')).toBeNull()
    const telling = caller({ engines: { [engine]: { reportsCached: true } } })
    const [cold, warm] = await reads(telling, engine, [body(), body()])
    expect(cold).toBeUndefined() // an answer that read nothing has null there all the same
    expect(warm).toBeGreaterThan(4000)
  })

  it('vLLM reads whole blocks of 16 and keeps salts apart', async () => {
    const lab = caller({ engines: { vllm: { reportsCached: true } } })
    await lab.engine('vllm', body('a', { cache_salt: 'one' }))
    const same = Number(readOf(await lab.engine('vllm', body('a', { cache_salt: 'one' }))))
    expect(same % 16).toBe(0)
    expect(same).toBeGreaterThan(4000)
    expect(readOf(await lab.engine('vllm', body('a', { cache_salt: 'two' })))).toBeUndefined()
    expect((await lab.engine('vllm', body('a', { cache_salt: '' }))).status).toBe(400)
  })

  it.each(['vllm', 'sglang'] as const)('%s gives up what was used least recently when it is full', async (engine) => {
    const lab = caller({ engines: { [engine]: { reportsCached: true, capacityTokens: 8200 } } })
    const [, , again] = await reads(lab, engine, [body('a'), body('b'), body('a')])
    expect(again).toBeGreaterThan(4000)
    const after = await reads(lab, engine, [body('c'), body('d'), body('a')])
    expect(after[2]).toBeLessThan(200) // the head, which the others used too, and what else has room
  })

  it.each(['vllm', 'sglang', 'ollama'] as const)('%s refuses an output of no tokens', async (engine) => {
    const { status, json } = await caller().engine(engine, body('a', { max_tokens: 0 }))
    expect(status).toBe(400)
    expect(JSON.stringify(json)).toContain('max_tokens must be at least 1')
  })
})

describe('Ollama', () => {
  it('has one slot, and is unloaded after five idle minutes', async () => {
    const lab = caller()
    const [, warm, other, gone] = await reads(lab, 'ollama', [body('a'), body('a'), body('b'), body('a')])
    expect(warm).toBeGreaterThan(4000)
    expect([other, gone].every((read) => Number(read) < 26)).toBe(true)
    lab.advance(5 * MINUTE_MS - 1)
    expect(readOf(await lab.engine('ollama', body('a')))).toBeGreaterThan(4000)
    lab.advance(5 * MINUTE_MS)
    expect(readOf(await lab.engine('ollama', body('a')))).toBe(0)
  })

  it('speaks its own chat too, whose count includes what was read', async () => {
    const lab = caller()
    const ask = { ...body('a'), stream: false, options: { num_predict: 1 } }
    const cold = await lab.send('POST', '/ollama/api/chat', ask)
    const warm = await lab.send('POST', '/ollama/api/chat', ask)
    expect(cold.json).toMatchObject({ done: true, done_reason: 'length', prompt_eval_cached_count: 0 })
    expect(warm.json['prompt_eval_count']).toBe(cold.json['prompt_eval_count'])
    expect(warm.json['prompt_eval_cached_count']).toBe(Number(cold.json['prompt_eval_count']) - 1)
    const streamed = await lab.send('POST', '/ollama/api/chat', { ...ask, stream: true })
    expect(streamed.text.trimEnd().split('\n')).toHaveLength(2)
  })

  it('drops the oldest messages of a prompt that does not fit, and says nothing', async () => {
    const { engine } = caller({ engines: { ollama: { contextTokens: 4200 } } })
    const old = [
      { role: 'user', content: tokens(3000, 'old') },
      { role: 'assistant', content: 'Yes.' },
    ]
    const [system, question] = body()['messages'] as Json[]
    const { status, json } = await engine('ollama', body('a', { messages: [system, ...old, question] }))
    expect(status).toBe(200)
    expect(at(json, 'usage.prompt_tokens')).toBeLessThan(4200)
  })
})

describe('every engine', () => {
  it.each(ENGINES)('%s loses all it held on demand, and under the pressure of others', async (engine) => {
    const settings = { slots: 2, hostCacheTokens: 0, capacityTokens: 9000, reportsCached: true }
    const lab = caller({ engines: { [engine]: settings } })
    const read = async () => Number(readOf(await lab.engine(engine, body('a'))) ?? 0)
    await read()
    expect(await read()).toBeGreaterThan(4000)
    await lab.fault({ kind: 'evict', times: 1 })
    expect(await read()).toBe(0)
    expect(await read()).toBeGreaterThan(4000)
    await lab.fault({ kind: 'pressure', times: 1, prompts: 3, tokens: 3000 })
    expect(await read()).toBeLessThan(33)
  })

  it.each(ENGINES)('%s refuses a bad key, an unknown path and a body that is none', async (engine) => {
    const lab = caller()
    expect((await lab.engine(engine, body(), 'bad-key')).status).toBe(401)
    expect((await lab.send('POST', `/${engine}/v1/nothing`, body())).status).toBe(404)
    expect((await lab.send('POST', `/${engine}/v1/chat/completions`, '{')).status).toBe(400)
    expect((await lab.engine(engine, { model: 'tiny' })).status).toBe(400)
  })

  it.each(ENGINES)('%s says in its own way that it is busy', async (engine) => {
    const lab = caller()
    await lab.fault({ kind: 'overloaded', times: 1 })
    const { status, json } = await lab.engine(engine, body())
    expect(status).toBe(503)
    expect(JSON.stringify(json)).toContain('Loading model')
  })

  it('reads for as long as its tokens take', async () => {
    const pauses: number[] = []
    const lab = caller({ latency: 'on', engines: { 'llama-cpp': { readingMs: 10 } } })
    lab.lab.clock.sleep = async (ms) => void pauses.push(ms)
    await lab.engine('llama-cpp', body())
    await lab.engine('llama-cpp', body())
    expect(pauses[0]).toBeGreaterThan(40_000)
    expect(pauses[1]).toBeLessThan(50)
  })
})
