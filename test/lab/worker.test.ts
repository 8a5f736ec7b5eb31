import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { at, START_AT, tokens } from './caller.ts'
import { runLab } from './running.ts'

const headers = { 'x-api-key': 'key-a', 'anthropic-version': '2023-06-01' }
const body = JSON.stringify({
  model: 'claude-sonnet-5',
  max_tokens: 0,
  system: [{ type: 'text', text: tokens(2000), cache_control: { type: 'ephemeral', ttl: '1h' } }],
  messages: [{ role: 'user', content: 'Hello' }],
})

async function json(url: string, init?: RequestInit): Promise<unknown> {
  return (await fetch(url, init)).json()
}

describe('the lab’s Worker', () => {
  it('finds its caches, handles, faults and transcript again after a restart of the runtime', async () => {
    const persist = await mkdtemp(join(tmpdir(), 'lab-'))
    onTestFinished(() => rm(persist, { recursive: true, force: true }))
    const vars = { LAB_LATENCY: 'off' }
    const warm = { method: 'POST', headers, body }

    const first = await runLab({ persist, vars })
    const cold = await json(`${first.url}/anthropic/v1/messages`, warm)
    expect(at(cold, 'usage.cache_creation_input_tokens')).toBe(2000)
    // An automatic cache writes an entry at every step: many rows in one statement.
    const chat = { model: 'gpt-4o', messages: [{ role: 'user', content: tokens(20_000) }] }
    const old = { method: 'POST', headers: { authorization: 'Bearer key-a' }, body: JSON.stringify(chat) }
    await json(`${first.url}/openai/v1/chat/completions`, old)
    const create = { model: 'models/gemini-2.5-flash', contents: [{ parts: [{ text: tokens(3000) }] }] }
    const google = { 'x-goog-api-key': 'key-a' }
    const made = { method: 'POST', headers: google, body: JSON.stringify(create) }
    const handle = await json(`${first.url}/gemini/v1beta/cachedContents`, made)
    const fault = { method: 'POST', body: JSON.stringify({ kind: 'overloaded', provider: 'anthropic', times: 1 }) }
    await json(`${first.url}/_lab/faults`, fault)
    await first.stop()

    const second = await runLab({ persist, vars })
    onTestFinished(() => second.stop())
    expect((await fetch(`${second.url}/anthropic/v1/messages`, warm)).status).toBe(529)
    const again = await json(`${second.url}/anthropic/v1/messages`, warm)
    expect(at(again, 'usage.cache_read_input_tokens')).toBe(2000)
    const chatAgain = await json(`${second.url}/openai/v1/chat/completions`, old)
    expect(at(chatAgain, 'usage.prompt_tokens_details.cached_tokens')).toBe(19_968)
    const found = await json(`${second.url}/gemini/v1beta/${String(at(handle, 'name'))}`, { headers: google })
    expect(found).toEqual(handle)
    const transcript = await json(`${second.url}/_lab/transcript`)
    expect(at(transcript, 'data.0')).toMatchObject({ seq: 1, status: 200, body })
    expect(at(transcript, 'data.6.seq')).toBe(7)
  })

  it('takes its clock from its variables, and answers ever faster as the rate grows', async () => {
    const anchors = { CLOCK_REAL_ANCHOR_AT: String(Date.now()), CLOCK_VIRTUAL_ANCHOR_AT: String(START_AT) }
    const lab = await runLab({ vars: { ...anchors, CLOCK_RATE: '600' } })
    onTestFinished(() => lab.stop())
    const before = await json(`${lab.url}/_lab/clock`)
    expect(before).toMatchObject({ rate: 600, mode: 'virtual', virtual_anchor_at: START_AT })
    expect(Number(at(before, 'now'))).toBeGreaterThan(START_AT)
    // Latency is on: two thousand cold tokens take half a second of the lab's time.
    await json(`${lab.url}/anthropic/v1/messages`, { method: 'POST', headers, body })
    const row = at(await json(`${lab.url}/_lab/transcript`), 'data.0')
    expect(Number(at(row, 'answer_begun_at')) - Number(at(row, 'at'))).toBe(400 + 100)
    expect(Number(at(row, 'finished_at')) - Number(at(row, 'at'))).toBeGreaterThanOrEqual(500)
  })

  it('delivers half of an answer as a whole one, over a real connection', async () => {
    const lab = await runLab({ vars: { LAB_LATENCY: 'off' } })
    onTestFinished(() => lab.stop())
    await json(`${lab.url}/_lab/faults`, { method: 'POST', body: JSON.stringify({ kind: 'truncated', times: 2 }) })
    const answer = await fetch(`${lab.url}/anthropic/v1/messages`, { method: 'POST', headers, body })
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/json'])
    const half = await answer.text()
    expect(half).toMatch(/^\{"/)
    expect(() => JSON.parse(half) as unknown).toThrow(SyntaxError)
    const streamed = JSON.stringify({ ...(JSON.parse(body) as object), max_tokens: 5, stream: true })
    const stream = await fetch(`${lab.url}/anthropic/v1/messages`, { method: 'POST', headers, body: streamed })
    const text = await stream.text()
    expect([stream.status, text.includes('message_start'), text.includes('message_stop')]).toEqual([200, true, false])
    const whole = await json(`${lab.url}/anthropic/v1/messages`, { method: 'POST', headers, body })
    expect(JSON.stringify(whole).startsWith(half.slice(0, 10))).toBe(true)
  })

  it('shares one state among concurrent requests', async () => {
    const lab = await runLab({ vars: { LAB_LATENCY: 'off' } })
    onTestFinished(() => lab.stop())
    const warm = { method: 'POST', headers, body }
    await json(`${lab.url}/anthropic/v1/messages`, warm)
    const all = await Promise.all(Array.from({ length: 20 }, () => json(`${lab.url}/anthropic/v1/messages`, warm)))
    const reads = all.filter((answer) => Number(at(answer, 'usage.cache_read_input_tokens')) > 0)
    expect(reads).toHaveLength(20)
    expect(at(await json(`${lab.url}/_lab/transcript`), 'data')).toHaveLength(21)
  })
})
