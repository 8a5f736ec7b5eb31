import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { run } from '../support.ts'

const folder = mkdtempSync(join(tmpdir(), 'why-'))
afterAll(() => rmSync(folder, { recursive: true }))

function file(name: string, value: unknown): string {
  const path = join(folder, name)
  writeFileSync(path, typeof value === 'string' ? value : JSON.stringify(value))
  return path
}

const RULES = 'Name the price, the weight and the season of each tent.\n'.repeat(400)
const body = (clock: string, question = 'Which tent?') => ({
  model: 'claude-opus-5',
  max_tokens: 100,
  system: [{ type: 'text', text: `Time: ${clock}\n${RULES}`, cache_control: { type: 'ephemeral' } }],
  messages: [{ role: 'user', content: question }],
})
const usage = (read: number, write: number) => ({
  input_tokens: 12,
  cache_read_input_tokens: read,
  cache_creation_input_tokens: write,
  output_tokens: 20,
})

describe('pilotlight why', () => {
  const [one, two] = [file('one.json', body('10:41:07')), file('two.json', body('10:42:07'))]

  it('names cause, place and fix of two bare bodies, and exits with 1', async () => {
    const { code, out } = await run(['why', one, two])
    expect(code).toBe(1)
    expect(out).toContain('clock_in_prefix')
    expect(out).toContain('system[0].text at character 10')
    expect(out).toContain('- Time: 10:41:07')
    expect(out).toContain('+ Time: 10:42:07')
    expect(out).toContain('Fix: Move the time behind the last breakpoint')
    expect(out.length).toBeLessThan(2_000)
  })

  it('prints what POST /diagnose answers with --json', async () => {
    const { code, out } = await run(['why', one, two, '--json'])
    expect(code).toBe(1)
    expect(JSON.parse(out)).toMatchObject({
      verdict: 'clock_in_prefix',
      group: 'content',
      fault: 'yours',
      first_difference: { path: 'system[0].text', at: 10 },
    })
  })

  it('exits with 0 where another question is asked behind the same prefix', async () => {
    const other = file('other.json', body('10:41:07', 'And which stove?'))
    expect(await run(['why', one, other])).toMatchObject({ code: 0 })
  })

  it('exits with 2 where the evidence fits several causes', async () => {
    const before = file('before.json', {
      request: body('01:00:00'),
      usage: usage(0, 5_000),
      started_at: '2026-11-30T01:00:00Z',
    })
    const after = file('after.json', {
      request: body('09:30:00'),
      usage: usage(0, 5_000),
      started_at: '2026-11-30T09:30:00Z',
    })
    const { code, out } = await run(['why', before, after])
    expect(code).toBe(2)
    expect(out).toContain('It may be: clock_in_prefix (50 %), expired (50 %)')
  })

  it('reads a recorded pair, and a HAR file without its keys', async () => {
    const pair = file('pair.json', { before: body('10:41:07'), after: body('10:42:07') })
    expect(await run(['why', pair])).toMatchObject({ code: 1 })
    const entry = (clock: string, startedDateTime: string, read: number) => ({
      startedDateTime,
      timings: { send: 1, wait: 900, receive: 10 },
      request: {
        method: 'POST',
        url: 'https://api.anthropic.com/v1/messages',
        headers: [{ name: 'x-api-key', value: 'sk-ant-api03-secret' }],
        postData: { text: JSON.stringify(body(clock)) },
      },
      response: {
        status: 200,
        content: { mimeType: 'application/json', text: JSON.stringify({ usage: usage(read, 5_000 - read) }) },
      },
    })
    const har = file('log.har', {
      log: { entries: [entry('10:41:07', '2026-11-30T10:41:07Z', 0), entry('10:42:07', '2026-11-30T10:42:07Z', 0)] },
    })
    const { code, out } = await run(['why', har, '--json'])
    expect(code).toBe(1)
    expect(JSON.parse(out)).toMatchObject({ verdict: 'clock_in_prefix', lost_tokens: 5_000 })
    expect(out).not.toContain('secret')
  })

  it('takes of a HAR file the last two calls to one host, in the order of their beginnings', async () => {
    const url = 'https://generativelanguage.googleapis.com/v1beta/models/gemini-3.5-flash'
    const gemini = (clock: string) => ({
      systemInstruction: { parts: [{ text: `Time: ${clock}\n${RULES}` }] },
      contents: [{ role: 'user', parts: [{ text: 'Which tent?' }] }],
    })
    const entry = (at: string, address: string, sent: unknown, key = 'one') => ({
      startedDateTime: `2026-11-30T${at}Z`,
      request: {
        method: 'POST',
        url: address,
        headers: [{ name: 'X-Goog-Api-Key', value: `secret-${key}` }],
        postData: { text: JSON.stringify(sent) },
      },
      response: { status: 200, content: { mimeType: 'application/json', text: '{}' } },
    })
    const call = (clock: string, key?: string, at = clock) => entry(at, `${url}:generateContent`, gemini(clock), key)
    const others = [
      entry('10:41:09', `${url}:countTokens`, gemini('10:41:09')),
      entry('10:41:10', 'https://metrics.example/events', { events: [] }),
      entry('10:41:11', 'https://api.anthropic.com/v1/messages', body('10:41:11')),
    ]
    const har = (...entries: unknown[]) => file('many.har', { log: { entries } })
    const { code, out } = await run(['why', har(call('10:42:07'), ...others, call('10:41:07')), '--json'])
    expect(code).toBe(1)
    expect(JSON.parse(out)).toMatchObject({
      verdict: 'clock_in_prefix',
      first_difference: { before: 'Time: 10:41:07⏎'.replace('⏎', '\n') + RULES.slice(0, 24) + '…' },
    })
    const keys = await run(['why', har(call('10:41:07'), call('10:41:07', 'two', '10:43:07')), '--json'])
    expect(JSON.parse(keys.out)).toMatchObject({ verdict: 'credential_changed' })
    expect(keys.out).not.toContain('secret')
    expect(await run(['why', har(others[1])])).toMatchObject({
      code: 64,
      said: expect.stringContaining('no entry of this HAR is a call to a model'),
    })
  })

  it('takes the model of bodies that name none from --model', async () => {
    const gemini = (clock: string) => ({
      systemInstruction: { parts: [{ text: `Time: ${clock}\n${RULES}` }] },
      contents: [{ role: 'user', parts: [{ text: 'Which tent?' }] }],
    })
    const [bare, told] = [
      file('bare.json', gemini('10:41:07')),
      file('told.json', { request: gemini('10:42:07'), started_at: '2026-11-30T10:42:07Z' }),
    ]
    expect(await run(['why', bare, told])).toMatchObject({ code: 64, said: expect.stringContaining('model') })
    const { code, out } = await run(['why', bare, told, '--model', 'gemini-3.5-flash', '--json'])
    expect(code).toBe(1)
    expect(JSON.parse(out)).toMatchObject({ verdict: 'clock_in_prefix' })
  })

  it('judges a transcript by usage and clock alone, and says so', async () => {
    const line = (id: string, timestamp: string, read: number, write: number) =>
      JSON.stringify({ timestamp, message: { id, model: 'claude-opus-5', usage: usage(read, write) } })
    const log = file(
      'session.jsonl',
      [
        line('msg_1', '2026-11-30T10:00:00Z', 0, 20_000),
        line('msg_2', '2026-11-30T10:01:00Z', 20_000, 300),
        line('msg_2', '2026-11-30T10:01:01Z', 20_000, 300),
        line('msg_3', '2026-11-30T11:30:00Z', 0, 20_400),
      ].join('\n'),
    )
    const { code, out } = await run(['why', log])
    expect(code).toBe(1)
    expect(out).toContain('3 calls, of which 1 did not read')
    expect(out).toContain('expired')
    expect(out).toContain('A transcript has no bodies')
  })

  it.each([
    [['why'], 'give BEFORE and AFTER'],
    [['why', '/nowhere/a.json', '/nowhere/b.json'], 'cannot be read (ENOENT)'],
    [['why', '--nothing'], 'nothing'],
  ])('answers %j with 64 and a sentence', async (args, said) => {
    const result = await run(args)
    expect(result.code).toBe(64)
    expect(result.said).toContain(said)
    expect(result.out).toBe('')
  })

  it('names the member of a body that is wrong', async () => {
    const wrong = file('wrong.json', { request: body('1'), started_at: 'yesterday' })
    const { code, said } = await run(['why', wrong, two])
    expect(code).toBe(64)
    expect(said).toContain('started_at')
  })
})
