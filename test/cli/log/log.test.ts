import fc from 'fast-check'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { JOINED_MS, Runs } from '../../../src/cli/log/runs.ts'
import { readTime } from '../../../src/cli/log/time.ts'
import { readLog } from '../../../src/cli/log/traffic.ts'
import type { ReadOptions } from '../../../src/cli/log/traffic.ts'
import { bytesOf, logText } from '../support.ts'

const read = (text: string | Uint8Array, options?: ReadOptions) => readLog(bytesOf(text), options)
const AT = Date.UTC(2026, 10, 2, 8)

describe('an instant in a log', () => {
  it.each([
    ['2026-11-02T08:00:00Z', AT],
    ['2026-11-02T09:00:00+01:00', AT],
    ['2026-11-02T09:00:00+0100', AT],
    ['2026-11-02 08:00:00.250000', AT + 250],
    ['2026-11-02', Date.UTC(2026, 10, 2)],
    ['1793606400', AT],
    ['1793606400.5', AT + 500],
    [1793606400, AT],
    [1793606400123, AT + 123],
    ['1793606400123456', AT + 123.456],
    ['1793606400120000000', AT + 120],
  ])('%s is understood', (written, at) => {
    expect(readTime(written)).toBeCloseTo(at, 2)
  })

  it.each(['', 'soon', '12', '0', '2026-02-30T00:00:00Z', '2026-11-02T25:00:00Z', '-5', '02/11/2026', null, {}])(
    '%s is none',
    (written) => {
      expect(readTime(written)).toBeNull()
    },
  )
})

describe('the forms of a log', () => {
  const forms = ['plain.csv', 'litellm.json', 'langfuse.jsonl', 'langfuse.csv', 'langfuse-page.json', 'otel.jsonl']
  const seen = async (name: string) => {
    const { format, prefixes, leftOut, unusable } = await read(logText(name))
    return {
      format,
      leftOut,
      unusable,
      prefixes: prefixes.map(({ label, provider, model, requests, tokens, cached, runs }) => ({
        name: [label.replace(/ [\da-f]{8}$/, ' …'), provider, model].join(' '),
        requests,
        tokens: tokens.sum,
        cached: cached.sum,
        starts: [...runs.all()].map(({ startAt }) => Math.round((startAt - AT) / 60_000)),
      })),
    }
  }

  it('reads rows of prefix, time and tokens, each with its own way to write a time', async () => {
    expect(await seen('plain.csv')).toEqual({
      format: 'plain',
      leftOut: {},
      unusable: [],
      prefixes: [
        { name: 'mill anthropic claude-opus-4-8', requests: 4, tokens: 80_000, cached: 0, starts: [0, 10, 71] },
        { name: 'bridge anthropic claude-opus-4-8', requests: 2, tokens: 60_000, cached: 0, starts: [120, 480] },
      ],
    })
  })

  it("reads LiteLLM's spend logs, newest first, without failures, embeddings and its own cache", async () => {
    expect(await seen('litellm.json')).toEqual({
      format: 'litellm',
      leftOut: {
        'calls other than completions': 1,
        'failed calls': 1,
        "answers of the proxy's own cache": 1,
      },
      unusable: [],
      prefixes: [
        {
          name: 'key … anthropic claude-opus-4-8',
          requests: 4,
          tokens: 20_412 + 20_377 + 20_398 + 20_390,
          cached: 80_000,
          starts: [61, 89, 91, 101],
        },
        { name: 'key … openai gpt-5.6-sol', requests: 2, tokens: 18_120, cached: 8_960, starts: [10, 70] },
      ],
    })
  })

  it.each(['langfuse.jsonl', 'langfuse.csv', 'langfuse-page.json'])(
    "reads Langfuse's observations by the name of the prompt, else by the system prompt: %s",
    async (name) => {
      expect(await seen(name)).toEqual({
        format: 'langfuse',
        leftOut: { 'observations that are not generations': 1, 'failed calls': 1 },
        unusable: [],
        prefixes: [
          { name: 'mill-answers@3  claude-opus-4-8', requests: 2, tokens: 40_400, cached: 40_000, starts: [0, 10] },
          { name: 'system …  claude-opus-4-8', requests: 2, tokens: 18_110, cached: 18_000, starts: [60, 90] },
        ],
      })
    },
  )

  it('reads spans of OpenTelemetry, and counts an agent and its calls once', async () => {
    expect(await seen('otel.jsonl')).toEqual({
      format: 'otel',
      leftOut: { 'spans that are not requests to a model': 2, 'failed calls': 1 },
      unusable: [],
      prefixes: [
        { name: 'system … anthropic claude-opus-4-8', requests: 2, tokens: 40_650, cached: 40_000, starts: [0, 10] },
        { name: 'miller openai gpt-5.6-sol', requests: 1, tokens: 9_100, cached: 8_960, starts: [12] },
        { name: 'all requests example.models gpt-4o', requests: 1, tokens: 4_200, cached: 0, starts: [15] },
      ],
    })
  })

  it.each(forms)('never holds a prompt or a key: %s', async (name) => {
    const { prefixes } = await read(logText(name))
    const labels = prefixes.map(({ label }) => label).join(' ')
    expect(labels).not.toContain('You answer')
    expect(labels).not.toMatch(/[\da-f]{16}/)
  })

  it.each(forms)('is the same in small pieces and compressed: %s', async (name) => {
    const text = logText(name)
    const whole = await seen(name)
    const pieces = text.match(/[\s\S]{1,97}/g) ?? []
    for (const bytes of [bytesOf(...pieces), bytesOf(gzipSync(text)), bytesOf(`\uFEFF${text}`)]) {
      const { format, requests, prefixes } = await readLog(bytes)
      expect([format, requests, prefixes.length]).toEqual([
        whole.format,
        whole.prefixes.reduce((sum, one) => sum + one.requests, 0),
        whole.prefixes.length,
      ])
    }
  })

  it('shows a digest where a prefix might be a prompt', async () => {
    const { prefixes } = await read('prefix,time,tokens\n"You are a miller, and kind",1793606400,5000\n')
    expect(prefixes[0]?.label).toMatch(/^prefix [\da-f]{8}$/)
  })

  it('takes a log without a first line of names, and other marks than a comma', async () => {
    const bare = await read('a,1793606400,5000\na,1793606500\n')
    expect([bare.requests, bare.prefixes[0]?.tokens.count]).toEqual([2, 1])
    const semicolons = await read('prefix;time;tokens\na;1793606400;5000\n')
    expect(semicolons.requests).toBe(1)
  })

  it('reads objects that are spread over lines, in a list or one after the other', async () => {
    const one = (seconds: number) => JSON.stringify({ prefix: 'a', time: seconds, tokens: 9 }, null, 2)
    expect((await read(`[${one(1793606400)},\n${one(1793606500)}]`)).requests).toBe(2)
    expect((await read(`${one(1793606400)}\n${one(1793606500)}\n`)).requests).toBe(2)
  })
})

describe('a log that is not as it should be', () => {
  it.each([
    ['', 'the log is empty'],
    ['  \n', 'the log is empty'],
    ['a\0b', 'this is not text'],
    ['PAR1....', 'Parquet is not supported'],
    ['when,who\n1,2\n', 'line 2: the log has an unknown format. Expected the columns prefix, time and tokens'],
    ['{"hello": 1}\n', 'found: hello'],
    ['[{"prefix": "a", "time": 1793606400}, 5]', 'line 1: not a JSON object'],
    ['[{"prefix": "a",\n "time": 1793606400}', 'the list has no end'],
    ['{"prefix": "a",\n "time": 1793606400', 'line 1: the value that begins here has no end'],
    ['[\n{"prefix": "a" "time": 5}]', 'line 2: the value that begins here is not valid JSON'],
    ['prefix,time,tokens\n"a,1793606400,5\nb,1793606400,5\n', 'an earlier quotation mark is never closed'],
    ['prefix,time,tokens\na,soon,5\n', 'this log has no usable request. First, line 2, time: expected ISO 8601'],
    [gzipSync('prefix,time,tokens\na,1793606400,5\n').subarray(0, 20), 'it is damaged or cut off'],
  ])('%j is refused, and the message says what is wrong', async (text, message) => {
    await expect(read(text)).rejects.toThrow(message)
  })

  it('counts what it cannot use by why, and names the first line of each', async () => {
    const { requests, unusable } = await read(
      'prefix,time,tokens\na,1793606400,5000\n\na,yesterday,5000\na,1793606401,many\na,1793606402\na,soon,1\n,1793606402,1\n',
    )
    expect(requests).toBe(1)
    expect(unusable.map(({ field, count, line }) => [field, count, line])).toEqual([
      ['time', 2, 4],
      ['tokens', 1, 5],
      [null, 1, 6],
      ['prefix', 1, 8],
    ])
  })

  it('goes on behind a line of JSONL that is broken, and tells no word of it', async () => {
    const line = '{"prefix":"a","time":1793606400,"tokens":5}\n'
    const { requests, unusable } = await read(`${line}{"prefix":"secret prompt\n${line}[1]\n`)
    expect(requests).toBe(2)
    expect(unusable).toEqual([{ field: null, right: 'a JSON object', count: 2, line: 2 }])
  })

  it('goes on behind a record that is nested too deeply to be gone through', async () => {
    const one = (content: string) =>
      `{"traceId":"t","startTime":"2026-11-02T08:00:00Z","usage":{"input":9},"input":[{"role":"system","content":${content}}]}\n`
    const deep = '['.repeat(200_000) + ']'.repeat(200_000)
    const { requests, unusable } = await read(one('"a"') + one(deep) + one('"b"'))
    expect([requests, unusable]).toEqual([
      2,
      [{ field: null, right: 'a record with fewer nested levels', count: 1, line: 2 }],
    ])
  })

  it('ends at the first of them where it is asked to', async () => {
    await expect(read('prefix,time,tokens\na,soon,5\n', { strict: true })).rejects.toThrow('line 2, time: expected')
  })

  it.each([
    ['JSONL', '{"prefix":"a","time":1793606400,"tokens":5}\n'],
    ['CSV', 'prefix,time,tokens\na,1793606400,5\n'],
    ['JSON', '[{"prefix":"a","time":1793606400,"tokens":5}]'],
  ])('reads a record up to the largest and none beyond: %s', async (form, text) => {
    const size = { JSONL: text.length - 1, CSV: 'prefixtimetokens'.length, JSON: text.length - 2 }[form] ?? 0
    expect((await read(text, { largest: size })).requests).toBe(1)
    await expect(read(text, { largest: size - 1 })).rejects.toThrow(/at most \d+ characters/)
  })

  it('holds as many prefixes and gaps as it says and none beyond', async () => {
    const rows = (count: number, name: (index: number) => string) =>
      `prefix,time,tokens\n${Array.from({ length: count }, (_, index) => `${name(index)},${1793606400 + index * 3600},5`).join('\n')}\n`
    const limits = { prefixes: 3, gaps: 5 }
    expect((await read(rows(3, String), { limits })).prefixes).toHaveLength(3)
    await expect(read(rows(4, String), { limits })).rejects.toThrow('line 5: the log holds more than 3 prefixes')
    expect(
      (
        await read(
          rows(5, () => 'a'),
          { limits },
        )
      ).requests,
    ).toBe(5)
    await expect(
      read(
        rows(6, () => 'a'),
        { limits },
      ),
    ).rejects.toThrow('line 7: the log holds more than 5 idle gaps')
    // A busy prefix takes no memory: its requests are one run.
    const busy = `prefix,time,tokens\n${'a,1793606400,5\n'.repeat(500)}`
    expect((await read(busy, { limits })).requests).toBe(500)
  })
})

describe('runs of requests', () => {
  it('are the same in whichever order the requests come', () => {
    const minutes = fc.array(fc.integer({ min: 0, max: 40_000 }), { minLength: 1, maxLength: 3_000 })
    fc.assert(
      fc.property(minutes, (seconds) => {
        const runs = new Runs()
        let counted = 0
        for (const second of seconds) counted += runs.add(second * 1000)
        const sorted = [...seconds].toSorted((a, b) => a - b).map((second) => second * 1000)
        const starts = sorted.filter((at, index) => index === 0 || at - (sorted[index - 1] ?? 0) > JOINED_MS)
        const ends = sorted.filter((at, index) => (sorted[index + 1] ?? Infinity) - at > JOINED_MS)
        expect(counted).toBeGreaterThanOrEqual(starts.length)
        const expected = starts.map((startAt, index) => {
          const endAt = ends[index] ?? startAt
          return { startAt, endAt, count: sorted.filter((at) => at >= startAt && at <= endAt).length }
        })
        expect([...runs.all()]).toEqual(expected)
      }),
      { numRuns: 40 },
    )
  })

  it('do not grow by requests that come too late, when they belong to a run', () => {
    const runs = new Runs()
    let [held, most] = [0, 0]
    for (let at = 100_000; at > 0; at--) {
      held += runs.add(at * 1000)
      most = Math.max(most, held)
    }
    expect([...runs.all()]).toEqual([{ startAt: 1_000, endAt: 100_000_000, count: 100_000 }])
    expect(most).toBeLessThan(3_000)
  })
})
